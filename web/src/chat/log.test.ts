import { expect, test } from "vitest";
import { apply, insert, startLog, type DurableEvent } from "./log";

const event = (seq: number): DurableEvent => ({ type: "message", roomId: "r", seq });

test("each place counts once, whatever comes twice", () => {
  let log = startLog("l", 3);
  for (const seq of [4, 5, 4, 3]) log = apply(log, event(seq));
  expect([log.head, log.messages.map((message) => message.seq)]).toEqual([5, [4, 5]]);
});

test("an ack that comes early does not move the head over what is missing", () => {
  let log = apply(startLog("l", 3), event(6));
  expect(log.head).toBe(3);
  log = apply(apply(log, event(4)), event(5));
  expect(log.head).toBe(6);
  expect(log.messages.map((message) => message.seq)).toEqual([4, 5, 6]);
});

test("an older page goes before what is there", () => {
  const log = apply(startLog("l", 3), event(4));
  const page = [2, 3].map((seq) => ({ ...event(seq), reactions: [] }) as never);
  expect(insert(log, page).messages.map((message) => message.seq)).toEqual([2, 3, 4]);
});
