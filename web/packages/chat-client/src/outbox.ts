// What was written here and has no place in its room's log yet. Each room's messages go in the order written; one that
// failed goes again under the same id before anything behind it does. Pure: what is to be done comes back as a value.
import { IN_FLIGHT_PER_ROOM, OUTBOX_MESSAGES, TEXT_CHARS } from "./limits.ts";
import type { Draft, Refusal } from "./wire.ts";

export interface Entry {
  draft: Draft;
  /** Rises with each message of a user, also over reloads. */
  order: number;
  state:
    | { kind: "queued" }
    /** Handed to the socket; `ref` names the try, so that the answer to an earlier one says nothing about it. */
    | { kind: "written"; ref: string }
    /** Committed, but what is before it in the log has not come yet. */
    | { kind: "acked"; seq: number }
    /** Will not be sent again by itself. */
    | { kind: "refused"; code: string; detail: string };
}

export interface Outbox {
  /** By rising order. */
  entries: readonly Entry[];
  /** Rooms that wait before their next try, each with the message that failed. */
  resting: ReadonlyMap<string, string>;
  /** How many tries failed in a row, by room. */
  failures: ReadonlyMap<string, number>;
  tries: number;
}

export const EMPTY_OUTBOX: Outbox = { entries: [], resting: new Map(), failures: new Map(), tries: 0 };

export class OutboxFull extends Error {
  constructor() {
    super("Too many messages wait to be sent. Try again when the connection is back.");
  }
}

export class TextTooLong extends Error {
  constructor(chars: number) {
    super(`A message has at most ${TEXT_CHARS} characters; this has ${chars}.`);
  }
}

/** @throws {OutboxFull | TextTooLong} so that what was written stays with who wrote it. */
export function submit(outbox: Outbox, draft: Draft, now: number): { outbox: Outbox; entry: Entry } {
  const chars = "message" in draft ? [...draft.message].length : 0;
  if (chars > TEXT_CHARS) throw new TextTooLong(chars);
  if (outbox.entries.length >= OUTBOX_MESSAGES) throw new OutboxFull();
  const order = Math.max(now, (outbox.entries.at(-1)?.order ?? 0) + 1);
  const entry: Entry = { draft, order, state: { kind: "queued" } };
  return { outbox: { ...outbox, entries: [...outbox.entries, entry] }, entry };
}

/** What an earlier visit left behind goes before what was written since; what is there already stays. */
export function restore(outbox: Outbox, kept: readonly Entry[]): Outbox {
  const there = new Set(outbox.entries.map((entry) => entry.draft.messageId));
  const fresh = kept.filter((entry) => !there.has(entry.draft.messageId));
  const entries = [...outbox.entries, ...fresh].sort((a, b) => a.order - b.order);
  return { ...outbox, entries };
}

/** The next message that may be written now, if one may. */
export function next(outbox: Outbox): Entry | undefined {
  const inFlight = new Map<string, number>();
  const passed = new Set(outbox.resting.keys());
  for (const entry of outbox.entries) {
    const { roomId } = entry.draft;
    if (entry.state.kind === "written") inFlight.set(roomId, (inFlight.get(roomId) ?? 0) + 1);
    if (entry.state.kind !== "queued" || passed.has(roomId)) continue;
    if ((inFlight.get(roomId) ?? 0) < IN_FLIGHT_PER_ROOM) return entry;
    passed.add(roomId);
  }
  return undefined;
}

export function written(outbox: Outbox, { draft }: Entry): { outbox: Outbox; ref: string } {
  const tries = outbox.tries + 1;
  const ref = String(tries);
  return { outbox: { ...put(outbox, draft.messageId, { kind: "written", ref }), tries }, ref };
}

function put(outbox: Outbox, messageId: string, state: Entry["state"]): Outbox {
  const entries = outbox.entries.map((entry) =>
    entry.draft.messageId === messageId ? { ...entry, state } : entry,
  );
  return { ...outbox, entries };
}

export function find(outbox: Outbox, messageId: string | undefined): Entry | undefined {
  return outbox.entries.find((entry) => entry.draft.messageId === messageId);
}

export function without(outbox: Outbox, gone: (entry: Entry) => boolean): Outbox {
  const entries = outbox.entries.filter((entry) => !gone(entry));
  return entries.length === outbox.entries.length ? outbox : { ...outbox, entries };
}

/** The message has its place; its room is well again. */
export function placed(outbox: Outbox, { draft }: Entry, seq: number): Outbox {
  const failures = new Map(outbox.failures);
  failures.delete(draft.roomId);
  return { ...put(outbox, draft.messageId, { kind: "acked", seq }), failures };
}

/** The socket is gone, and with it every answer that it owed. */
export function lost(outbox: Outbox): Outbox {
  const entries = outbox.entries.map((entry) =>
    entry.state.kind === "written" ? { ...entry, state: { kind: "queued" as const } } : entry,
  );
  return { ...outbox, entries, resting: new Map(), failures: new Map() };
}

const PASSING = new Set(["unavailable", "rate-limited", "internal"]);

/** What was asked may have been done or not; asked again later, it will be answered. */
export function isPassing({ code }: { code: string }): boolean {
  return PASSING.has(code);
}

/** All that is in flight in a room goes again: behind a new `join`, in front of anything new. */
export function requeue(outbox: Outbox, roomId: string): Outbox {
  const entries = outbox.entries.map((entry) =>
    entry.draft.roomId === roomId && entry.state.kind === "written"
      ? { ...entry, state: { kind: "queued" as const } }
      : entry,
  );
  return { ...outbox, entries };
}

/** Says what became of a refused send: it stays with its reason, or its room rests and it goes again. */
export type Refused =
  | { kind: "unknown" }
  | { kind: "for-good"; outbox: Outbox; entry: Entry }
  | { kind: "rest"; outbox: Outbox; roomId: string; failures: number };

export function refused(outbox: Outbox, error: Refusal): Refused {
  const entry = outbox.entries.find(({ state }) => state.kind === "written" && state.ref === error.ref);
  if (!entry) return { kind: "unknown" };
  const { roomId, messageId } = entry.draft;
  if (!isPassing(error)) {
    const state = { kind: "refused" as const, code: error.code, detail: error.detail };
    return { kind: "for-good", outbox: put(outbox, messageId, state), entry: { ...entry, state } };
  }
  // It and all behind it go again, in order. Their own answers, which may still come, are answers to an earlier try.
  const entries = outbox.entries.map((other) =>
    other.draft.roomId === roomId && other.order >= entry.order && other.state.kind === "written"
      ? { ...other, state: { kind: "queued" as const } }
      : other,
  );
  const failures = (outbox.failures.get(roomId) ?? 0) + 1;
  const resting = new Map(outbox.resting).set(roomId, messageId);
  const next = { ...outbox, entries, resting, failures: new Map(outbox.failures).set(roomId, failures) };
  return { kind: "rest", outbox: next, roomId, failures };
}

/**
 * The room goes on. `barred` when the message that failed has its place by now: the socket takes nothing else of the room
 * until that message comes again, which it won't, or the room is joined anew.
 */
export function rested(outbox: Outbox, roomId: string): { outbox: Outbox; barred: boolean } {
  const failed = outbox.resting.get(roomId);
  const resting = new Map(outbox.resting);
  resting.delete(roomId);
  const barred = failed !== undefined && find(outbox, failed)?.state.kind !== "queued";
  return { outbox: { ...outbox, resting }, barred };
}

/** A refused message is tried again, because somebody wants it. */
export function tryAgain(outbox: Outbox, messageId: string): Outbox {
  return find(outbox, messageId)?.state.kind === "refused"
    ? put(outbox, messageId, { kind: "queued" })
    : outbox;
}
