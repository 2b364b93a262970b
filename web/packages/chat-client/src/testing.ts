// A server of one room in memory, and the line to it: what a test may do to them is what a network and processes that die
// may do. It keeps the contract's rules for a socket (section 5), so that what goes wrong beyond them is done by the test.
import { Core } from "./core.ts";
import type { Effect } from "./effect.ts";
import type { Entry } from "./outbox.ts";
import type { Ack, ClientFrame, DurableEvent, Limits, ServerFrame } from "./wire.ts";

export const ROOM = "room";
export const ME = { id: "me", displayName: "Me" };
export const LIMITS: Limits = {
  frameBytes: 65_536,
  textChars: 4_000,
  roomsPerJoin: 100,
  roomsPerSocket: 1_000,
  framesPerSecond: 50,
  frameBurst: 100,
  sendsPerSecond: 10,
  sendBurst: 20,
};

type WithoutPlace<T> = T extends unknown ? Omit<T, "seq" | "roomId"> : never;

export class ModelServer {
  readonly events: DurableEvent[] = [];
  /** Whether db-core answers, is away, or commits and then does not answer. */
  core: "well" | "away" | "commits-silently" = "well";
  toServer: ClientFrame[] = [];
  toClient: ServerFrame[] = [];
  private sentTo = Infinity;
  private acked = new Set<number>();
  private barrier: string | undefined;

  append(event: WithoutPlace<DurableEvent>): DurableEvent {
    const placed = { ...event, roomId: ROOM, seq: this.events.length + 1 } as DurableEvent;
    this.events.push(placed);
    return placed;
  }

  /** A new socket: nothing is joined, nothing waits. */
  fresh(): void {
    this.toServer = [];
    this.toClient = [];
    this.sentTo = Infinity;
    this.acked = new Set();
    this.barrier = undefined;
  }

  page(after: number, to: number): DurableEvent[] {
    return this.events.slice(after, to);
  }

  /** The next live frame of the room, in order; what this socket has had as an ack is passed over. */
  publish(): void {
    while (this.sentTo < this.events.length) {
      const event = this.events[this.sentTo++];
      if (!event || this.acked.has(event.seq)) continue;
      this.toClient.push(event);
      return;
    }
  }

  /** One frame that the client wrote. */
  work(): void {
    const frame = this.toServer.shift();
    if (frame?.type === "join") this.join(frame.rooms[0]?.afterSeq);
    if (frame?.type === "send") this.send(frame);
  }

  private join(afterSeq: number | undefined): void {
    if (this.core === "away") return this.unavailable({});
    const headSeq = this.events.length;
    // A short answer, so that truncation is met often.
    const missing = afterSeq === undefined ? [] : this.events.slice(afterSeq);
    const events = missing.slice(-5);
    this.toClient.push({
      ...{ type: "joined", roomId: ROOM, headSeq, logId: "log" },
      ...{ events, truncated: events.length < missing.length },
    });
    this.sentTo = headSeq;
    this.acked = new Set();
    this.barrier = undefined;
  }

  private send(frame: ClientFrame & { type: "send" }): void {
    const { messageId, ref } = frame;
    const barred = this.barrier !== undefined && this.barrier !== messageId;
    if (barred || this.core === "away") {
      this.barrier ??= messageId;
      return this.unavailable({ ref, messageId });
    }
    const { seq, sentAt } = this.commit(frame);
    if (this.core === "commits-silently") {
      this.barrier = messageId;
      return this.unavailable({ ref, messageId });
    }
    this.barrier = undefined;
    this.acked.add(seq);
    const ack: Ack = { type: "ack", ref, roomId: ROOM, messageId, seq, sentAt };
    this.toClient.push(ack);
  }

  private commit(frame: ClientFrame & { type: "send" }): { seq: number; sentAt: string } {
    const draft = Object.fromEntries(Object.entries(frame).filter(([name]) => name !== "ref"));
    const before = this.events.find(
      (event) => event.type === "message" && event.messageId === frame.messageId,
    );
    const sentAt = `at ${before?.seq ?? this.events.length + 1}`;
    const event =
      before ??
      this.append({
        ...draft,
        type: "message",
        senderId: ME.id,
        senderName: ME.displayName,
        sentAt,
      } as never);
    return { seq: event.seq, sentAt };
  }

  private unavailable(more: { ref?: string; messageId?: string }): void {
    const error = { type: "error" as const, code: "unavailable", detail: "later", roomId: ROOM };
    this.toClient.push({ ...error, ...more, retryAfterMs: 1 });
  }
}

/** A client beside that server: what the core wants done is remembered until the test does it. */
export class Bench {
  readonly server = new ModelServer();
  readonly store = new Map<string, Entry>();
  core = this.newCore();
  connected = false;
  now = 0;
  waits = new Set<string>();
  fetches: { roomId: string; after: number; to: number }[] = [];

  private newCore(): Core {
    const core = new Core(
      ME,
      () => this.now,
      () => 0.5,
    );
    core.rooms([ROOM]);
    return core;
  }

  run(effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (effect.do === "write" && this.connected) this.server.toServer.push(effect.frame);
      if (effect.do === "fetch") this.fetches.push(effect);
      if (effect.do === "wait") this.waits.add(effect.key);
      if (effect.do === "keep") this.store.set(effect.entry.draft.messageId, effect.entry);
      if (effect.do === "drop") this.store.delete(effect.messageId);
    }
  }

  connect(): void {
    if (this.connected) return;
    this.server.fresh();
    this.connected = true;
    this.run(this.core.opened(LIMITS));
  }

  cut(): void {
    this.connected = false;
    this.core.lost();
    this.server.fresh();
  }

  /** The page is closed and opened: only what was stored is left. */
  reload(): void {
    this.cut();
    this.waits.clear();
    this.fetches = [];
    this.core = this.newCore();
    this.core.restore([...this.store.values()]);
  }

  hear(): void {
    const frame = this.server.toClient.shift();
    if (frame) this.run(this.core.frame(frame));
  }

  wake(): void {
    this.now += 1000;
    const [key] = this.waits;
    if (key === undefined) return;
    this.waits.delete(key);
    this.run(this.core.woke(key));
  }

  answerFetch(how: "well" | "failed" | "short"): void {
    const fetch = this.fetches.shift();
    if (!fetch) return;
    const events = this.server.page(fetch.after, how === "short" ? fetch.after + 1 : fetch.to);
    this.run(this.core.fetched(ROOM, how === "failed" ? undefined : "log", how === "failed" ? [] : events));
  }

  older(places: number): void {
    const log = this.core.state.logs[ROOM];
    if (!log) return;
    const events = this.server.page(Math.max(0, log.from - 1 - places), log.from - 1);
    this.run(this.core.older(ROOM, log.logId, events));
  }

  /** Everything works again, until nothing is left to do. */
  settle(): void {
    this.server.core = "well";
    for (let round = 0; round < 10_000; round++) {
      const { toServer, toClient, events } = this.server;
      const before = [toServer.length, toClient.length, this.fetches.length, this.waits.size].some(
        (n) => n > 0,
      );
      this.server.work();
      this.server.publish();
      this.hear();
      this.answerFetch("well");
      this.wake();
      if (!before && this.server.toClient.length === 0 && this.core.state.logs[ROOM]?.head === events.length)
        return;
    }
    throw new Error("it does not settle");
  }
}
