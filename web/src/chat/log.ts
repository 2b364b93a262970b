// One room's log as this page knows it: each place once, in order.
import type { Message } from "./http";

export interface DurableEvent {
  type: string;
  roomId: string;
  seq: number;
}

export interface RoomLog {
  logId: string;
  /** Everything up to here is known. */
  head: number;
  /** Places above the head that are known already: an own message's ack may come early. */
  ahead: ReadonlySet<number>;
  /** By rising seq. */
  messages: readonly Message[];
  /** There are older messages than those. */
  hasMore: boolean;
}

export function startLog(logId: string, head: number): RoomLog {
  return { logId, head, ahead: new Set(), messages: [], hasMore: true };
}

/** Marks a place as known, and moves the head over all that are. */
function known(log: RoomLog, seq: number): RoomLog {
  const ahead = new Set(log.ahead).add(seq);
  let head = log.head;
  while (ahead.delete(head + 1)) head += 1;
  return { ...log, head, ahead };
}

/** Puts messages into their places; one that is there already stays. */
export function insert(log: RoomLog, messages: readonly Message[]): RoomLog {
  const there = new Set(log.messages.map((message) => message.seq));
  const fresh = messages.filter((message) => !there.has(message.seq));
  if (fresh.length === 0) return log;
  return { ...log, messages: [...log.messages, ...fresh].sort((a, b) => a.seq - b.seq) };
}

export function apply(log: RoomLog, event: DurableEvent): RoomLog {
  if (event.seq <= log.head || log.ahead.has(event.seq)) return log; // repeated
  const moved = known(log, event.seq);
  if (event.type !== "message") return moved;
  return insert(moved, [{ ...(event as unknown as Message), reactions: [] }]);
}
