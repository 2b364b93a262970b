// The state of the page: rooms, logs, what was sent and not yet acknowledged. Components subscribe and draw.
import { words, type Credentials, type Message, type Page, type Room, type User } from "./http";
import { apply, insert, startLog, type DurableEvent, type RoomLog } from "./log";
import { Account } from "./session";
import { EMPTY, type Sending, type State } from "./state";
import { ChatSocket, type Frame } from "./socket";

const DURABLE = new Set(["message", "edited", "deleted", "reaction", "member", "room"]);

export class Chat {
  state: State = EMPTY;
  readonly account = new Account();
  private readonly listeners = new Set<() => void>();
  private socket: ChatSocket | undefined;
  private listing: Promise<void> | undefined;
  private listAgain: Promise<void> | undefined;
  private readonly retries = new Map<string, ReturnType<typeof setTimeout>>();

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  readonly snapshot = (): State => this.state;

  private set(change: Partial<State>): void {
    this.state = { ...this.state, ...change };
    this.listeners.forEach((listener) => listener());
  }

  async start(): Promise<void> {
    try {
      if (await this.account.resume()) await this.enter();
      else this.set({ phase: "signed-out" });
    } catch (error) {
      // The session may well be there: the server is not.
      this.set({ connection: "lost", notice: words(error) });
      setTimeout(() => void this.start(), 2000);
    }
  }

  async signIn(route: "login" | "register", credentials: Credentials): Promise<void> {
    await this.account.enter(route, credentials);
    await this.enter();
  }

  async signOut(): Promise<void> {
    await this.account.leave();
    this.ended();
  }

  private ended(): void {
    this.socket?.stop();
    this.socket = undefined;
    this.account.forget();
    this.state = EMPTY;
    this.set({ phase: "signed-out" });
  }

  private async enter(): Promise<void> {
    this.socket?.stop();
    this.set({ phase: "signed-in", user: this.account.user as User, notice: undefined as never });
    const url = `${location.origin.replace(/^http/, "ws")}/ws`;
    this.socket = new ChatSocket(url, {
      token: () => this.account.accessToken(),
      renewIn: () => this.account.renewIn(),
      refused: async (token, sure) => (sure ? this.account.doubt(token) : this.account.check(token)),
      opened: () => void this.opened(),
      frame: (frame) => this.frame(frame),
      lost: (ended) => (ended ? this.ended() : this.set({ connection: "lost" })),
    });
    // The rooms are listed as soon as it opens.
    await this.socket.start();
  }

  /** Asks for my rooms: one look at a time, and the one that answers began after it was asked for. */
  listRooms(): Promise<void> {
    if (!this.listing) {
      this.listing = this.readRooms().finally(() => (this.listing = undefined));
      return this.listing;
    }
    this.listAgain ??= this.listing
      .catch(() => undefined)
      .then(() => {
        this.listAgain = undefined;
        return this.listRooms();
      });
    return this.listAgain;
  }

  private async readRooms(): Promise<void> {
    const rooms: Room[] = [];
    let cursor: string | undefined;
    do {
      const more = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
      const page: Page<Room> = await this.account.ask(`/api/rooms?limit=200${more}`);
      rooms.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor);
    // The log of a room that I am out of is forgotten: back in, it is joined anew.
    const mine = new Set(rooms.map((room) => room.id));
    const logs = Object.fromEntries(Object.entries(this.state.logs).filter(([roomId]) => mine.has(roomId)));
    this.set({ rooms, logs });
    this.join(rooms.filter((room) => !this.state.logs[room.id]).map((room) => room.id));
  }

  private async opened(): Promise<void> {
    this.set({ connection: "open" });
    // What happened while away may have changed the list too.
    this.join(this.state.rooms.map((room) => room.id));
    new Set(this.state.sending.map((sending) => sending.roomId)).forEach((roomId) => this.flush(roomId));
    await this.listRooms().catch(() => setTimeout(() => void this.relist(), 2000));
  }

  /** Goes on asking while there is a line at all; the next opening asks by itself. */
  private async relist(): Promise<void> {
    if (this.state.connection !== "open" || this.state.phase !== "signed-in") return;
    await this.listRooms().catch(() => setTimeout(() => void this.relist(), 2000));
  }

  private join(roomIds: readonly string[]): void {
    for (let from = 0; from < roomIds.length; from += 100) {
      const rooms = roomIds.slice(from, from + 100).map((roomId) => {
        const log = this.state.logs[roomId];
        return log ? { roomId, afterSeq: log.head, logId: log.logId } : { roomId };
      });
      this.socket?.send({ type: "join", rooms });
    }
  }

  private frame(frame: Frame): void {
    const roomId = frame.roomId ?? "";
    if (DURABLE.has(frame.type)) this.event(frame as unknown as DurableEvent);
    else if (frame.type === "joined") void this.joined(frame);
    else if (frame.type === "ack") this.acked(frame);
    else if (frame.type === "notice") void this.listRooms().catch(() => undefined);
    else if (frame.type === "error" && frame["messageId"]) this.refused(frame);
    else if (frame.type === "error" && roomId && frame["code"] === "unavailable") {
      setTimeout(() => this.join([roomId]), Number(frame["retryAfterMs"] ?? 1000));
    }
  }

  private setLog(roomId: string, log: RoomLog): void {
    this.set({ logs: { ...this.state.logs, [roomId]: log } });
  }

  private event(event: DurableEvent): void {
    const log = this.state.logs[event.roomId];
    if (!log) return;
    this.setLog(event.roomId, apply(log, event));
    this.arrived(event);
    if (event.type !== "message") void this.listRooms().catch(() => undefined);
  }

  /** An own message that comes out of the log is no longer on its way: its ack was lost. */
  private arrived(event: DurableEvent & { messageId?: string; senderId?: string }): void {
    if (event.senderId !== this.state.user?.id) return;
    const left = this.state.sending.filter((sending) => sending.messageId !== event.messageId);
    if (left.length < this.state.sending.length) this.set({ sending: left });
  }

  private async joined(frame: Frame): Promise<void> {
    const roomId = frame.roomId ?? "";
    const [head, logId] = [Number(frame["headSeq"]), String(frame["logId"])];
    const log = this.state.logs[roomId];
    if (log && !frame["truncated"]) {
      (frame["events"] as DurableEvent[]).forEach((event) => this.event(event));
      return;
    }
    // New to this page, or too far behind: the newest page, and what comes from here on.
    this.setLog(roomId, startLog(logId, head));
    await this.older(roomId).catch((error: unknown) => this.set({ notice: words(error) }));
  }

  /** Loads the page of messages before those that are there. */
  async older(roomId: string): Promise<void> {
    const first = this.state.logs[roomId]?.messages[0];
    const before = first ? `&before=${first.seq}` : "";
    const path = `/api/rooms/${roomId}/messages?limit=50${before}`;
    const page = await this.account.ask<{ items: Message[]; hasMore: boolean }>(path);
    const log = this.state.logs[roomId];
    if (log) this.setLog(roomId, { ...insert(log, page.items), hasMore: page.hasMore });
  }

  send(roomId: string, text: string): void {
    const sending = { roomId, messageId: crypto.randomUUID(), text };
    this.set({ sending: [...this.state.sending, sending] });
    this.write(sending);
  }

  private write({ roomId, messageId, text }: Sending): void {
    this.socket?.send({ type: "send", roomId, messageId, message: text });
  }

  /** All that is not yet acknowledged in a room, again and in order, under the same ids. */
  private flush(roomId: string): void {
    clearTimeout(this.retries.get(roomId));
    this.retries.delete(roomId);
    this.state.sending
      .filter((sending) => sending.roomId === roomId && !sending.refused)
      .forEach((s) => this.write(s));
  }

  private acked(frame: Frame): void {
    const sending = this.state.sending.find((sending) => sending.messageId === frame["messageId"]);
    const log = this.state.logs[frame.roomId ?? ""];
    if (!sending || !this.state.user) return;
    this.set({ sending: this.state.sending.filter((other) => other !== sending) });
    if (!log) return;
    const { id: senderId, displayName: senderName } = this.state.user;
    const message = { ...frame, type: "message", senderId, senderName, message: sending.text };
    this.setLog(sending.roomId, apply(log, message as unknown as DurableEvent));
  }

  private refused(frame: Frame): void {
    const roomId = frame.roomId ?? "";
    if (frame["code"] === "unavailable" || frame["code"] === "rate-limited") {
      if (this.retries.has(roomId)) return;
      const wait = Number(frame["retryAfterMs"] ?? 1000);
      this.retries.set(
        roomId,
        setTimeout(() => this.flush(roomId), wait),
      );
      return;
    }
    const mark = (sending: Sending): Sending =>
      sending.messageId === frame["messageId"] ? { ...sending, refused: String(frame["detail"]) } : sending;
    this.set({ sending: this.state.sending.map(mark) });
  }

  async createRoom(name: string, visibility: "public" | "private"): Promise<string> {
    const room = await this.account.ask<Room>("/api/rooms", "POST", { name, visibility });
    await this.listRooms();
    return room.id;
  }

  async joinRoom(roomId: string): Promise<void> {
    await this.account.ask(`/api/rooms/${roomId}/join`, "POST");
    await this.listRooms();
  }

  async findRooms(query: string): Promise<Room[]> {
    const page = await this.account.ask<Page<Room>>(`/api/rooms/public?query=${encodeURIComponent(query)}`);
    return page.items.filter((room) => !room.myRole);
  }

  async findPeople(query: string): Promise<User[]> {
    return (await this.account.ask<Page<User>>(`/api/users?query=${encodeURIComponent(query)}`)).items;
  }

  async addMember(roomId: string, userId: string): Promise<void> {
    await this.account.ask(`/api/rooms/${roomId}/members`, "POST", { userId });
  }
}
