import { beforeEach, expect, test, vi } from "vitest";
import { TestClock } from "./clock.testing.ts";
import { inMemory } from "./environment.ts";
import { Problem } from "./http.ts";
import { FakeWire } from "./socket.testing.ts";
import { LIMITS } from "./testing.ts";
import { Socket, type Handlers } from "./socket.ts";

const handlers = () => ({
  token: vi.fn(async () => "t"),
  renewIn: vi.fn(() => 540_000),
  refused: vi.fn(async () => undefined),
  opened: vi.fn(),
  frame: vi.fn(),
  lost: vi.fn(),
  ended: vi.fn(),
});
const { last } = FakeWire;
const WELCOME = { type: "welcome", limits: LIMITS };

let clock: TestClock;
async function started(told: Handlers, random = 0.5): Promise<Socket> {
  const environment = inMemory({ origin: "http://x", WebSocket: FakeWire, clock, random: () => random });
  const socket = new Socket(environment, told);
  await socket.start();
  return socket;
}
beforeEach(() => {
  clock = new TestClock();
  FakeWire.all = [];
});

test("the token goes as a subprotocol, and welcome opens", async () => {
  const told = handlers();
  await started(told);
  expect([last().url, last().protocols]).toEqual(["ws://x/ws", ["chat.v1", "bearer.t"]]);
  last().hear(WELCOME);
  expect(told.opened).toHaveBeenCalledExactlyOnceWith(LIMITS);
});

test("a lost socket is said and opened again, with longer waits while none lasts", async () => {
  const told = handlers();
  await started(told);
  for (const wait of [125, 250, 500]) {
    last().hear(WELCOME);
    last().end(1006);
    expect(await clock.next()).toBe(wait);
  }
  expect(told.lost).toHaveBeenCalledTimes(3);
  expect(FakeWire.all).toHaveLength(4);
  last().hear(WELCOME);
  await clock.pass(12_000);
  last().end(1006);
  expect(await clock.next()).toBe(125);
});

test("who was sent away for what it did does not come at once, however the dice fall", async () => {
  for (const code of [4400, 4403, 4429, 1009]) {
    const before = FakeWire.all.length;
    clock = new TestClock();
    await started(handlers(), 0);
    last().hear(WELCOME);
    last().end(code);
    expect(await clock.next()).toBe(10_000);
    expect(FakeWire.all).toHaveLength(before + 2);
  }
});

test("a gateway that drains is left for another, after the delay that it names, jittered", async () => {
  const told = handlers();
  await started(told);
  last().hear(WELCOME);
  last().hear({ type: "draining", reconnectAfterMs: 1_000 });
  last().end(4503);
  expect(await clock.next()).toBe(1_000);
  expect(FakeWire.all).toHaveLength(2);
  expect(told.refused).not.toHaveBeenCalled();
});

test("a gateway that drains and does not close is left too", async () => {
  const told = handlers();
  await started(told, 0);
  last().hear(WELCOME);
  last().hear({ type: "draining", reconnectAfterMs: 1_000 });
  expect(await clock.next()).toBe(500);
  expect(told.lost).toHaveBeenCalledOnce();
  expect(await clock.next()).toBe(0);
  expect(FakeWire.all.map((wire) => wire.readyState)).toEqual([3, 1]);
  // Its close comes late, and is not the new one's.
  FakeWire.all[0]?.end(1000);
  await clock.settle();
  expect(told.lost).toHaveBeenCalledOnce();
});

test("a socket that was refused casts doubt on its token, one that was lost does not", async () => {
  const told = handlers();
  await started(told);
  last().hear(WELCOME);
  last().end(1006);
  await clock.next();
  expect(told.refused).not.toHaveBeenCalled();
  last().end(1006);
  await clock.next();
  expect(told.refused).toHaveBeenLastCalledWith("t", false);
  last().hear(WELCOME);
  last().end(4401);
  expect(told.refused).toHaveBeenLastCalledWith("t", true);
});

test("a token that runs out is replaced in place, and is the one that is doubted later", async () => {
  const told = { ...handlers(), renewIn: vi.fn().mockReturnValueOnce(9_000).mockReturnValue(540_000) };
  await started(told);
  last().hear(WELCOME);
  told.token.mockResolvedValueOnce("next");
  expect(await clock.next()).toBe(9_000);
  expect(last().sent).toEqual(['{"type":"auth","accessToken":"next"}']);
  expect(FakeWire.all).toHaveLength(1);
  last().end(4401);
  expect(told.refused).toHaveBeenLastCalledWith("next", true);
});

test("a new token that cannot be had now is asked for again; one that is refused ends it", async () => {
  const told = { ...handlers(), renewIn: vi.fn(() => 9_000) };
  await started(told);
  last().hear(WELCOME);
  told.token.mockRejectedValueOnce(new Problem(503, "unavailable", "later"));
  await clock.next();
  told.token.mockRejectedValueOnce(new Problem(401, "unauthenticated", "no"));
  expect(await clock.next()).toBe(5_000);
  expect(told.ended).toHaveBeenCalledOnce();
  expect(last().readyState).toBe(3);
});

test("an ended session is not tried again", async () => {
  const over = new Problem(401, "unauthenticated", "no");
  const told = { ...handlers(), token: vi.fn(() => Promise.reject(over)) };
  await started(told);
  expect(told.ended).toHaveBeenCalledExactlyOnceWith(over);
  expect([clock.waiting, FakeWire.all.length]).toEqual([0, 0]);
});

test("a line that is silent to a ping is given up", async () => {
  const told = handlers();
  await started(told);
  expect(await clock.next()).toBe(15_000);
  expect(last().sent).toEqual(['{"type":"ping"}']);
  expect(await clock.next()).toBe(10_000);
  expect(told.lost).toHaveBeenCalledOnce();
  expect(await clock.next()).toBe(125);
  expect(FakeWire.all).toHaveLength(2);
});

test("what a socket that was let go of still says counts for nothing, and who stops stays away", async () => {
  const told = handlers();
  const socket = await started(told);
  const first = last();
  first.hear(WELCOME);
  first.end(1006);
  await clock.next();
  first.hear({ type: "left", roomId: "r" });
  expect(told.frame).not.toHaveBeenCalled();
  socket.stop();
  last().end(1006);
  expect(told.lost).toHaveBeenCalledOnce();
  expect(clock.waiting).toBe(0);
});

test("who knows that the line is back does not wait, and opens one socket", async () => {
  const socket = await started(handlers());
  last().end(1006);
  await clock.settle();
  socket.hurry();
  socket.hurry();
  await clock.settle();
  expect(FakeWire.all).toHaveLength(2);
});

test("who knows that the line is gone does not wait for its silence, and looks for another", async () => {
  const told = handlers();
  const socket = await started(told);
  last().hear(WELCOME);
  socket.offline();
  expect(told.lost).toHaveBeenCalledOnce();
  expect(last().readyState).toBe(3);
  socket.offline();
  expect(await clock.next()).toBe(125);
  expect([FakeWire.all.length, told.lost.mock.calls.length]).toEqual([2, 1]);
});
