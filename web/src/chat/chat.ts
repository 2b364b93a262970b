// What this page asks for beyond what the client does by itself.
import { ChatClient, type Member, type OwnSession, type Page, type Room, type User } from "chat-client";

export class Chat extends ChatClient {
  async createRoom(name: string, visibility: "public" | "private"): Promise<string> {
    const room = await this.ask<Room>("/api/rooms", "POST", { name, visibility });
    await this.list();
    return room.id;
  }

  async joinRoom(roomId: string): Promise<void> {
    await this.ask(`/api/rooms/${roomId}/join`, "POST");
    await this.list();
  }

  async findRooms(query: string): Promise<Room[]> {
    const page = await this.ask<Page<Room>>(`/api/rooms/public?query=${encodeURIComponent(query)}`);
    return page.items.filter((room) => !room.myRole);
  }

  async findPeople(query: string): Promise<User[]> {
    return (await this.ask<Page<User>>(`/api/users?query=${encodeURIComponent(query)}`)).items;
  }

  /** As many as come at once. */
  async members(roomId: string): Promise<Member[]> {
    return (await this.ask<Page<Member>>(`/api/rooms/${roomId}/members?limit=200`)).items;
  }

  async addMember(roomId: string, userId: string): Promise<void> {
    await this.ask(`/api/rooms/${roomId}/members`, "POST", { userId });
  }

  /** Mine, the last used first. */
  async sessions(): Promise<OwnSession[]> {
    return (await this.ask<Page<OwnSession>>("/auth/sessions")).items;
  }

  async endSession(sid: string): Promise<void> {
    await this.ask(`/auth/sessions/${sid}`, "DELETE");
  }

  /** Ends my other sessions too. */
  async changePassword(currentPassword: string, newPassword: string): Promise<void> {
    await this.ask("/auth/password", "POST", { currentPassword, newPassword });
  }
}

/** A conversation between two goes by the other one's name. */
export function title(room: Room): string {
  return (room.kind === "dm" ? room.peer?.displayName : room.name) ?? "";
}
