// What this page asks for beyond what the client does by itself.
import { ChatClient, type Member, type Page, type Room, type User } from "chat-client";

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
}

/** A conversation between two goes by the other one's name. */
export function title(room: Room): string {
  return (room.kind === "dm" ? room.peer?.displayName : room.name) ?? "";
}
