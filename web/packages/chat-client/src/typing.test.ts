import { beforeEach, expect, test, vi } from "vitest";
import { TestClock } from "./clock.testing.ts";
import { Typing } from "./typing.ts";

const frame = (userId: string, typing: boolean) => ({ type: "typing" as const, roomId: "r", userId, typing });
const told = { changed: vi.fn(), tell: vi.fn() };
let clock: TestClock;
let typing: Typing;
beforeEach(() => {
  vi.resetAllMocks();
  clock = new TestClock();
  typing = new Typing(clock, told);
});

test("who types is shown until they say that they don't, or say nothing for a while", async () => {
  typing.frame(frame("ada", true));
  typing.frame(frame("bob", true));
  await clock.pass(4_000);
  typing.frame(frame("bob", true));
  expect(typing.state).toEqual({ r: ["ada", "bob"] });
  await clock.pass(2_000);
  expect(typing.state).toEqual({ r: ["bob"] });
  typing.frame(frame("bob", false));
  expect(typing.state).toEqual({ r: [] });
  expect([told.changed.mock.calls.length, clock.waiting]).toEqual([4, 0]);
});

test("who has sent what they typed does not type any more, and a lost line shows nobody", () => {
  for (const who of ["ada", "bob"]) typing.frame(frame(who, true));
  const said = {
    roomId: "r",
    seq: 1,
    messageId: "m",
    message: "x",
    senderId: "ada",
    senderName: "A",
    sentAt: "now",
  };
  typing.frame({ type: "message", ...said });
  expect(typing.state).toEqual({ r: ["bob"] });
  typing.lost();
  expect([typing.state, clock.waiting]).toEqual([{}, 0]);
});

test("with each key it is told as often as it has to be, and at once when it ends", async () => {
  for (let n = 0; n < 5; n++) typing.tell("r", true);
  expect(told.tell).toHaveBeenCalledTimes(1);
  await clock.pass(3_000);
  typing.tell("r", true);
  expect(told.tell).toHaveBeenCalledTimes(2);
  typing.tell("r", false);
  typing.tell("r", false);
  expect(told.tell.mock.calls.at(-1)).toEqual(["r", false]);
  expect(told.tell).toHaveBeenCalledTimes(3);
});
