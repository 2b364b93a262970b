// One room's log as a client knows it: a stretch without gaps, from some place up to the head, each place once. What lies
// above a hole is held until the hole is filled.
import { HELD_EVENTS, TOO_FAR_EVENTS } from "./limits.ts";
import { changed, isChange, said, type Change, type LogMessage } from "./fold.ts";
import type { DurableEvent, Joined } from "./wire.ts";

export interface RoomLog {
  logId: string;
  /** The first place that is known; above the head when none is. */
  from: number;
  /** Every place from `from` up to here is known. */
  head: number;
  /** The highest place that is known to be taken: above the head, there is a hole. */
  seen: number;
  /** Events above the head, by place. */
  held: ReadonlyMap<number, DurableEvent>;
  /** By rising seq. */
  messages: readonly LogMessage[];
  /** Changes of messages that were said before `from`, in order. */
  changes: readonly Change[];
}

export function startLog(logId: string, head: number): RoomLog {
  return { logId, from: head + 1, head, seen: head, held: new Map(), messages: [], changes: [] };
}

/** The places that are missing below the next held one, if any are. */
export function hole(log: RoomLog): { after: number; to: number } | undefined {
  if (log.head >= log.seen) return undefined;
  const held = [...log.held.keys()];
  return { after: log.head, to: held.length ? Math.min(...held) - 1 : log.seen };
}

/** Takes an event in, wherever its place is; one that is known already changes nothing. */
export function apply(log: RoomLog, event: DurableEvent): RoomLog {
  if (event.seq <= log.head || log.held.has(event.seq)) return log;
  const seen = Math.max(log.seen, event.seq);
  if (event.seq > log.head + 1) {
    if (log.held.size >= HELD_EVENTS) return { ...log, seen };
    return { ...log, seen, held: new Map(log.held).set(event.seq, event) };
  }
  let next = append({ ...log, seen }, event);
  if (log.held.size === 0) return next;
  const held = new Map(log.held);
  for (let event = held.get(next.head + 1); event; event = held.get(next.head + 1)) {
    held.delete(event.seq);
    next = append(next, event);
  }
  return { ...next, held };
}

/** The event behind the head. */
function append(log: RoomLog, event: DurableEvent): RoomLog {
  const moved = { ...log, head: event.seq };
  if (event.type === "message") return { ...moved, messages: [...log.messages, said(event)] };
  return isChange(event) ? change(moved, event) : moved;
}

function change(log: RoomLog, event: Change): RoomLog {
  const at = log.messages.findLastIndex((message) => message.messageId === event.messageId);
  const message = log.messages[at];
  if (message) return { ...log, messages: log.messages.with(at, changed(message, event)) };
  return log.from > 1 ? { ...log, changes: [...log.changes, event] } : log;
}

/** Puts the events before `from` in front; they have to end there and have no gap. */
export function prepend(log: RoomLog, events: readonly DurableEvent[]): RoomLog {
  const first = events[0]?.seq;
  if (first === undefined || events.at(-1)?.seq !== log.from - 1) return log;
  if (events.some((event, n) => event.seq !== first + n)) return log;
  const older = events.reduce(append, startLog(log.logId, first - 1));
  const joined = { ...log, from: first, messages: [...older.messages, ...log.messages] };
  return log.changes.reduce(change, { ...joined, changes: older.changes });
}

/** Lets go of what was said so far; it is loaded again when somebody looks. */
export function collapse(log: RoomLog): RoomLog {
  return { ...log, from: log.head + 1, messages: [], changes: [] };
}

/** The log after a `joined`: the same one further on, or one that starts anew. */
export function rejoin(log: RoomLog | undefined, { headSeq, logId, events, truncated }: Joined): RoomLog {
  const first = events[0]?.seq;
  if (!log || log.logId !== logId) return startLog(logId, headSeq);
  // Truncated and nothing of it: what is known here is not of this history.
  if (truncated && first === undefined) return startLog(logId, headSeq);
  const tooFar = truncated && first !== undefined && first - log.head > TOO_FAR_EVENTS;
  const next = events.reduce(apply, tooFar ? startLog(logId, first - 1) : log);
  return { ...next, seen: Math.max(next.seen, headSeq) };
}
