// What a client decides, without a socket, a clock or a store: frames and wishes in, effects out. The promise to who looks
// at it: each log is shown in order, without gaps and repeats, and what was written here is in it once, or still waiting.
import { jittered } from "./backoff.ts";
import { bucket, take, type Bucket } from "./bucket.ts";
import type { CoreState, Effect, Me } from "./effect.ts";
import { GAP_PATIENCE_MS, UNSEEN_MESSAGES } from "./limits.ts";
import { apply, collapse, hole, prepend, rejoin, type RoomLog } from "./log.ts";
import * as outbox from "./outbox.ts";
import {
  isDurable,
  type Ack,
  type Draft,
  type DurableEvent,
  type Joined,
  type Limits,
  type Refusal,
  type ServerFrame,
} from "./wire.ts";

/** A read that failed is tried again within a second: the wait of a third failure. */
const TRIES_OF_A_READ = 3;

export class Core {
  state: CoreState = { logs: {}, outbox: outbox.EMPTY_OUTBOX };
  private online = false;
  private limits: Limits | undefined;
  private sends: Bucket | undefined;
  private readonly mending = new Set<string>();
  private readonly wanted = new Set<string>();
  private watched: string | undefined;

  constructor(
    private readonly me: Me,
    private readonly now: () => number,
    private readonly random: () => number,
  ) {}

  /** What an earlier visit left unsent. */
  restore(kept: readonly outbox.Entry[]): void {
    this.setOutbox(outbox.restore(this.state.outbox, kept));
  }

  opened(limits: Limits): Effect[] {
    this.online = true;
    this.limits = limits;
    this.sends = bucket(limits.sendsPerSecond, limits.sendBurst, this.now());
    return [...this.join([...this.wanted]), ...this.pump()];
  }

  lost(): void {
    this.online = false;
    this.mending.clear();
    this.setOutbox(outbox.lost(this.state.outbox));
  }

  /** These are my rooms: others are forgotten, new ones joined. */
  rooms(roomIds: readonly string[]): Effect[] {
    const fresh = roomIds.filter((roomId) => !this.wanted.has(roomId));
    const mine = new Set(roomIds);
    [...this.wanted].filter((roomId) => !mine.has(roomId)).forEach((roomId) => this.forget(roomId));
    fresh.forEach((roomId) => this.wanted.add(roomId));
    return this.online ? this.join(fresh) : [];
  }

  /** Somebody looks at this room now: it keeps what it has. */
  watch(roomId: string | undefined): void {
    this.watched = roomId;
  }

  /** @throws {outbox.OutboxFull | outbox.TextTooLong} */
  submit(draft: Draft): Effect[] {
    const { outbox: next, entry } = outbox.submit(this.state.outbox, draft, this.now());
    this.setOutbox(next);
    return [{ do: "keep", entry }, ...this.pump()];
  }

  tryAgain(messageId: string): Effect[] {
    this.setOutbox(outbox.tryAgain(this.state.outbox, messageId));
    return this.pump();
  }

  /** Lets go of a refused message. Of any other it is not known whether it was committed. */
  discard(messageId: string): Effect[] {
    if (outbox.find(this.state.outbox, messageId)?.state.kind !== "refused") return [];
    this.setOutbox(outbox.without(this.state.outbox, ({ draft }) => draft.messageId === messageId));
    return [{ do: "drop", messageId }];
  }

  frame(frame: ServerFrame): Effect[] {
    if (isDurable(frame)) return this.event(frame);
    switch (frame.type) {
      case "joined":
        return this.joined(frame);
      case "ack":
        return this.acked(frame);
      case "error":
        return this.refused(frame);
      default:
        return [];
    }
  }

  /** The answer to a fetch: contiguous events behind `after`, or nothing when there was none. */
  fetched(roomId: string, logId: string | undefined, events: readonly DurableEvent[]): Effect[] {
    this.mending.delete(roomId);
    const log = this.state.logs[roomId];
    if (!log || (logId !== undefined && logId !== log.logId)) return this.rejoin(roomId);
    const effects = this.take(roomId, events.reduce(apply, log), events);
    const progress = (this.state.logs[roomId]?.head ?? 0) > log.head;
    return [...effects, ...this.mend(roomId, progress ? 0 : jittered(TRIES_OF_A_READ, this.random))];
  }

  /** Events from before the log's stretch; another history's are not taken. */
  older(roomId: string, logId: string, events: readonly DurableEvent[]): Effect[] {
    const log = this.state.logs[roomId];
    if (!log || log.logId !== logId) return [];
    return this.take(roomId, prepend(log, events), events);
  }

  woke(key: string): Effect[] {
    const [what, roomId = ""] = key.split(" ");
    if (what === "mend") return this.fetchHole(roomId);
    if (what === "join") return this.rejoin(roomId);
    if (what === "rest") {
      const { outbox: next, barred } = outbox.rested(this.state.outbox, roomId);
      this.setOutbox(next);
      return [...(barred ? this.rejoin(roomId) : []), ...this.pump()];
    }
    return this.pump();
  }

  /** Joins anew. That lets the socket take sends again that it had barred, so those in flight go again behind it, first. */
  private rejoin(roomId: string): Effect[] {
    if (!this.online || !this.wanted.has(roomId)) return [];
    this.setOutbox(outbox.requeue(this.state.outbox, roomId));
    return [...this.join([roomId]), ...this.pump()];
  }

  private setOutbox(next: outbox.Outbox): void {
    if (next !== this.state.outbox) this.state = { ...this.state, outbox: next };
  }

  private setLog(roomId: string, log: RoomLog): void {
    if (log === this.state.logs[roomId]) return;
    const small = roomId !== this.watched && log.messages.length > UNSEEN_MESSAGES ? collapse(log) : log;
    this.state = { ...this.state, logs: { ...this.state.logs, [roomId]: small } };
  }

  private forget(roomId: string): void {
    this.wanted.delete(roomId);
    const logs = Object.fromEntries(Object.entries(this.state.logs).filter(([id]) => id !== roomId));
    this.state = { ...this.state, logs };
  }

  private join(roomIds: readonly string[]): Effect[] {
    const size = this.limits?.roomsPerJoin ?? 1;
    const effects: Effect[] = [];
    for (let from = 0; from < roomIds.length; from += size) {
      const rooms = roomIds.slice(from, from + size).map((roomId) => {
        const log = this.state.logs[roomId];
        return log ? { roomId, afterSeq: log.head, logId: log.logId } : { roomId };
      });
      effects.push({ do: "write", frame: { type: "join", rooms } });
    }
    return effects;
  }

  private joined(frame: Joined): Effect[] {
    if (!this.wanted.has(frame.roomId)) return [];
    const effects = this.take(frame.roomId, rejoin(this.state.logs[frame.roomId], frame), frame.events);
    return [...effects, ...this.mend(frame.roomId, 0)];
  }

  private event(event: DurableEvent): Effect[] {
    const log = this.state.logs[event.roomId];
    if (!log) return [];
    const effects = this.take(event.roomId, apply(log, event), [event]);
    const mine = event.type === "member" && event.userId === this.me.id;
    const out = mine && (event.change === "left" || event.change === "removed");
    if (out || (event.type === "room" && event.change === "deleted")) {
      this.forget(event.roomId);
      return [...effects, { do: "relist" }];
    }
    return [...effects, ...this.mend(event.roomId, 0)];
  }

  /** Sets a log that took these events in, and lets go of the own messages that it now shows. */
  private take(roomId: string, log: RoomLog, events: readonly DurableEvent[]): Effect[] {
    const effects = events.flatMap((event) =>
      event.type === "message" && event.senderId === this.me.id ? this.place(event.messageId, event.seq) : [],
    );
    const places = this.state.outbox.entries.flatMap(({ draft, state }) =>
      draft.roomId === roomId && state.kind === "acked" ? [state.seq] : [],
    );
    // An ack also tells of a place, to a log that starts anew too.
    this.setLog(roomId, { ...log, seen: Math.max(log.seen, ...places) });
    const shown = ({ draft, state }: outbox.Entry): boolean =>
      draft.roomId === roomId && state.kind === "acked" && state.seq <= log.head;
    this.setOutbox(outbox.without(this.state.outbox, shown));
    return effects.length ? [...effects, ...this.pump()] : effects;
  }

  /** An own message has its place in the log: by its ack or by its event, whichever comes first. */
  private place(messageId: string, seq: number): Effect[] {
    const entry = outbox.find(this.state.outbox, messageId);
    if (!entry || entry.state.kind === "acked") return [];
    this.setOutbox(outbox.placed(this.state.outbox, entry, seq));
    return [{ do: "drop", messageId }];
  }

  private acked(ack: Ack): Effect[] {
    const entry = outbox.find(this.state.outbox, ack.messageId);
    const log = this.state.logs[ack.roomId];
    const effects = this.place(ack.messageId, ack.seq);
    if (!this.wanted.has(ack.roomId)) {
      // Nobody looks at this room here.
      this.setOutbox(outbox.without(this.state.outbox, ({ draft }) => draft.messageId === ack.messageId));
    } else if (log) {
      const seen = { ...log, seen: Math.max(log.seen, ack.seq) };
      const next = entry ? apply(log, this.own(entry.draft, ack)) : seen;
      effects.push(...this.take(ack.roomId, next, []), ...this.mend(ack.roomId, GAP_PATIENCE_MS));
    }
    return [...effects, ...this.pump()];
  }

  /** The event that an ack stands for. */
  private own(draft: Draft, { seq, sentAt }: Ack): DurableEvent {
    return { ...draft, type: "message", seq, sentAt, senderId: this.me.id, senderName: this.me.displayName };
  }

  private refused(error: Refusal): Effect[] {
    const what = outbox.refused(this.state.outbox, error);
    switch (what.kind) {
      case "for-good":
        this.setOutbox(what.outbox);
        return [{ do: "keep", entry: what.entry }, ...this.pump()];
      case "rest": {
        this.setOutbox(what.outbox);
        const ms = Math.max(error.retryAfterMs ?? 0, jittered(what.failures, this.random));
        return [{ do: "wait", key: `rest ${what.roomId}`, ms }];
      }
      case "unknown":
        return error.roomId && !this.waits(error.messageId) ? this.roomRefused(error, error.roomId) : [];
    }
  }

  private waits(messageId: string | undefined): boolean {
    const kind = outbox.find(this.state.outbox, messageId)?.state.kind;
    return kind === "queued" || kind === "written";
  }

  /** A join failed; or a send whose message has its place by now, so that it won't come again to lift the bar. */
  private roomRefused(error: Refusal, roomId: string): Effect[] {
    if (error.code === "not-found" || error.code === "not-a-member") {
      this.forget(roomId);
      return [{ do: "relist" }];
    }
    if (!outbox.isPassing(error)) return [];
    const ms = Math.max(error.retryAfterMs ?? 0, jittered(TRIES_OF_A_READ, this.random));
    return [{ do: "wait", key: `join ${roomId}`, ms }];
  }

  /** Writes what may be written now. */
  private pump(): Effect[] {
    const effects: Effect[] = [];
    while (this.online && this.sends) {
      const entry = outbox.next(this.state.outbox);
      if (!entry) break;
      const { bucket, waitMs } = take(this.sends, this.now());
      this.sends = bucket;
      if (waitMs > 0) return [...effects, { do: "wait", key: "pump", ms: waitMs }];
      const { outbox: next, ref } = outbox.written(this.state.outbox, entry);
      this.setOutbox(next);
      effects.push({ do: "write", frame: { type: "send", ref, ...entry.draft } });
    }
    return effects;
  }

  /** Sees to a hole, unless it is seen to already. */
  private mend(roomId: string, patienceMs: number): Effect[] {
    const log = this.state.logs[roomId];
    if (!log || !hole(log) || this.mending.has(roomId)) return [];
    this.mending.add(roomId);
    if (patienceMs === 0) return this.fetchHole(roomId);
    return [{ do: "wait", key: `mend ${roomId}`, ms: patienceMs }];
  }

  private fetchHole(roomId: string): Effect[] {
    const log = this.state.logs[roomId];
    const missing = log && hole(log);
    if (!this.online || !missing) {
      this.mending.delete(roomId);
      return [];
    }
    return [{ do: "fetch", roomId, ...missing }];
  }
}
