// What a run of random faults does not tell apart: each of these fails when its rule is left out.
import { expect, test } from "vitest";
import { Core } from "./core.ts";
import type { Effect } from "./effect.ts";
import { hole, rejoin, startLog } from "./log.ts";
import { LIMITS, ME, ROOM } from "./testing.ts";
import type { DurableEvent } from "./wire.ts";

const said = (seq: number): DurableEvent => ({
  ...{ type: "message", roomId: ROOM, seq, messageId: `m${seq}`, message: "x" },
  ...{ senderId: "you", senderName: "You", sentAt: "now" },
});
const joined = (headSeq: number, events: DurableEvent[] = []) => ({
  ...{ type: "joined" as const, roomId: ROOM, headSeq, logId: "log", events, truncated: false },
});
const draft = (messageId: string) => ({ roomId: ROOM, messageId, message: "mine" });
const ack = (messageId: string, seq: number) => ({
  ...{ type: "ack" as const, roomId: ROOM, messageId, seq, sentAt: "now" },
});
const refs = (effects: readonly Effect[]): string[] =>
  effects.flatMap((effect) =>
    effect.do === "write" && effect.frame.type === "send" ? [effect.frame.ref] : [],
  );

/** A core in the room, whose log ends at 3. */
function core(): Core {
  const core = new Core(
    ME,
    () => 0,
    () => 0.5,
  );
  core.rooms([ROOM]);
  core.opened(LIMITS);
  core.frame(joined(3));
  return core;
}
const kinds = (core: Core): string[] => core.state.outbox.entries.map(({ state }) => state.kind);

test("a head that the events of a join do not reach leaves a hole up to it", () => {
  expect(hole(rejoin(startLog("log", 3), joined(7)))).toEqual({ after: 3, to: 7 });
  expect(hole(rejoin(startLog("log", 3), joined(7, [said(4), said(5)])))).toEqual({ after: 5, to: 7 });
  const again = core();
  expect(again.frame(joined(7, [said(4)]))).toContainEqual({ do: "fetch", roomId: ROOM, after: 4, to: 7 });
});

test("what an earlier try is refused for says nothing about the one under way", () => {
  const one = core();
  const [first] = refs(one.submit(draft("a")));
  one.lost();
  const [second] = refs(one.opened(LIMITS));
  expect(second).not.toBe(first);
  const refusal = { type: "error" as const, code: "forbidden", detail: "no", roomId: ROOM, messageId: "a" };
  expect(one.frame({ ...refusal, ref: first })).toEqual([]);
  expect(one.frame(refusal)).toEqual([]);
  expect(kinds(one)).toEqual(["written"]);
  one.frame({ ...refusal, ref: second });
  expect(kinds(one)).toEqual(["refused"]);
});

test("of two under way, the one that is refused is the one that its ref names", () => {
  const one = core();
  const [, second] = [...refs(one.submit(draft("a"))), ...refs(one.submit(draft("b")))];
  one.frame({ type: "error", ref: second, code: "forbidden", detail: "no", roomId: ROOM });
  expect(kinds(one)).toEqual(["written", "refused"]);
});

test("an ack that overtakes is waited behind for a while, and only then is the rest fetched", () => {
  const late = core();
  late.submit(draft("a"));
  const effects = late.frame(ack("a", 5));
  expect(effects).toContainEqual({ do: "wait", key: `mend ${ROOM}`, ms: 500 });
  expect(effects.filter((effect) => effect.do === "fetch")).toEqual([]);
  expect(late.woke(`mend ${ROOM}`)).toEqual([{ do: "fetch", roomId: ROOM, after: 3, to: 4 }]);

  const soon = core();
  soon.submit(draft("a"));
  soon.frame(ack("a", 5));
  expect(soon.frame(said(4))).toEqual([]);
  expect(soon.woke(`mend ${ROOM}`)).toEqual([]);
  expect(soon.state.logs[ROOM]?.head).toBe(5);
});

test("an event that overtakes means that one was lost: it is fetched at once", () => {
  expect(core().frame(said(6))).toEqual([{ do: "fetch", roomId: ROOM, after: 3, to: 5 }]);
});
