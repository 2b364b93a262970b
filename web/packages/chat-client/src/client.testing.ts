// A client beside a server that answers as the test says, on a socket and a clock that the test holds.
import { ChatClient } from "./client.ts";
import { TestClock } from "./clock.testing.ts";
import { inMemory, type Environment } from "./environment.ts";
import { FakeWire } from "./socket.testing.ts";
import { LIMITS, ROOM } from "./testing.ts";
import type { DurableEvent } from "./wire.ts";

export const said = (seq: number): DurableEvent => ({
  ...{ type: "message", roomId: ROOM, seq, messageId: `m${seq}`, message: `${seq}` },
  ...{ senderId: "you", senderName: "You", sentAt: "now" },
});

/** Answers of the server take a few turns. */
export async function settled(): Promise<void> {
  for (let n = 0; n < 10; n++) await new Promise((resolve) => setTimeout(resolve, 0));
}

export class Stage {
  /** Whose the browser's session is. */
  who = "ada";
  logId = "log";
  /** The most events that a page holds, and the rooms of each page of the list. */
  pageOf = 1_000;
  lists: string[][] = [[ROOM]];
  asked: string[] = [];
  events = [1, 2, 3, 4, 5].map(said);
  readonly clock = new TestClock();
  readonly environment: Environment;
  /** The database has no leader: what is read is what is left. */
  leaderless = false;
  private readonly failing = new Map<string, number>();

  constructor() {
    FakeWire.all = [];
    const { clock } = this;
    const fetch = ((url: string) => Promise.resolve(this.answer(url))) as typeof globalThis.fetch;
    this.environment = inMemory({ origin: "http://x", fetch, WebSocket: FakeWire, clock, random: () => 0.5 });
  }

  fail(part: string, status = 503): void {
    this.failing.set(part, status);
  }

  heal(): void {
    this.failing.clear();
  }

  times(part: string): number {
    return this.asked.filter((path) => path.includes(part)).length;
  }

  private answer(url: string): Response {
    const path = url.replace("http://x", "");
    this.asked.push(path);
    const status = [...this.failing].find(([part]) => path.includes(part))?.[1];
    if (status) return Response.json({ code: "unavailable", detail: "Later." }, { status });
    const user = { id: this.who, displayName: this.who };
    if (path.startsWith("/auth/"))
      return Response.json({ user, accessToken: `token of ${this.who}`, expiresIn: 600 });
    const headers: HeadersInit = this.leaderless ? { "chat-stale": "true" } : {};
    if (path.startsWith("/api/rooms?")) return Response.json(this.list(path), { headers });
    const [after = 0, limit = 0] = (path.match(/\d+/g) ?? []).map(Number);
    const items = this.events.slice(after, after + Math.min(limit, this.pageOf));
    const page = { items, headSeq: this.events.length, logId: this.logId, hasMore: false };
    return Response.json(page, { headers });
  }

  private list(path: string): object {
    const page = Number(/cursor=(\d+)/.exec(path)?.[1] ?? 0);
    const items = (this.lists[page] ?? []).map((id) => ({
      ...{ id, kind: "room", name: "Tea", visibility: "public", encryption: "none", epoch: 0 },
      ...{ createdAt: "now", memberCount: 2, headSeq: 3, readSeq: 3, unreadCount: 0, mentionCount: 0 },
      logId: this.logId,
    }));
    return page + 1 < this.lists.length ? { items, nextCursor: String(page + 1) } : { items };
  }

  /** The socket opens, and the room's log ends at 3. */
  open(): void {
    const wire = FakeWire.last();
    wire.hear({ type: "welcome", userId: this.who, expiresAt: "later", limits: LIMITS });
    wire.hear({ type: "joined", roomId: ROOM, headSeq: 3, logId: "log", events: [], truncated: false });
  }

  async inRoom(): Promise<ChatClient> {
    const client = new ChatClient(this.environment);
    await client.signIn("login", { username: "u", password: "p" });
    await settled();
    this.open();
    await settled();
    return client;
  }
}

/** What the latest socket was given to send. */
export function sent(type: string): Record<string, unknown>[] {
  const frames = FakeWire.last().sent.map((text) => JSON.parse(text) as Record<string, unknown>);
  return frames.filter((frame) => frame["type"] === type);
}
