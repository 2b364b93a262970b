import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ChatSocket, type Handlers } from "./socket";

class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 1;
  sent: string[] = [];
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {
    FakeSocket.all.push(this);
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.readyState = 3;
  }
}

const handlers = () => ({
  token: vi.fn(async () => "t"),
  renewIn: vi.fn(() => 540_000),
  refused: vi.fn(async () => undefined),
  opened: vi.fn(),
  frame: vi.fn(),
  lost: vi.fn(),
});
const last = (): FakeSocket => FakeSocket.all.at(-1) as FakeSocket;

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  vi.stubGlobal("WebSocket", FakeSocket);
});
afterEach(() => vi.useRealTimers());

test("the token goes as a subprotocol, and welcome opens", async () => {
  const told = handlers();
  await new ChatSocket("ws://x/ws", told satisfies Handlers).start();
  expect(last().protocols).toEqual(["chat.v1", "bearer.t"]);
  last().onmessage?.({ data: '{"type":"welcome"}' });
  expect(told.opened).toHaveBeenCalledOnce();
});

test("a lost socket is said and opened again", async () => {
  const told = handlers();
  await new ChatSocket("ws://x/ws", told).start();
  last().onclose?.({ code: 1006 });
  expect(told.lost).toHaveBeenCalledWith(false);
  await vi.advanceTimersByTimeAsync(300);
  expect(FakeSocket.all).toHaveLength(2);
});

test("a socket that was refused casts doubt on its token, one that was lost does not", async () => {
  const told = handlers();
  await new ChatSocket("ws://x/ws", told).start();
  last().onmessage?.({ data: '{"type":"welcome"}' });
  last().onclose?.({ code: 1006 });
  await vi.advanceTimersByTimeAsync(300);
  expect(told.refused).not.toHaveBeenCalled();
  last().onclose?.({ code: 1006 });
  await vi.advanceTimersByTimeAsync(600);
  expect(told.refused).toHaveBeenLastCalledWith("t", false);
  last().onmessage?.({ data: '{"type":"welcome"}' });
  last().onclose?.({ code: 4401 });
  expect(told.refused).toHaveBeenLastCalledWith("t", true);
});

test("a token that runs out is replaced in place", async () => {
  const told = { ...handlers(), renewIn: vi.fn().mockReturnValueOnce(5_000).mockReturnValue(540_000) };
  await new ChatSocket("ws://x/ws", told).start();
  last().onmessage?.({ data: '{"type":"welcome"}' });
  told.token.mockResolvedValueOnce("next");
  await vi.advanceTimersByTimeAsync(5_000);
  expect(last().sent).toEqual(['{"type":"auth","accessToken":"next"}']);
  expect(FakeSocket.all).toHaveLength(1);
});

test("an ended session is not tried again", async () => {
  const told = { ...handlers(), token: vi.fn(() => Promise.reject({ status: 401 })) };
  await new ChatSocket("ws://x/ws", told).start();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told.lost).toHaveBeenCalledWith(true);
  expect(FakeSocket.all).toHaveLength(0);
});

test("a line that is silent to a ping is given up", async () => {
  const told = handlers();
  await new ChatSocket("ws://x/ws", told).start();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(last().sent).toEqual(['{"type":"ping"}']);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(told.lost).toHaveBeenCalledWith(false);
});
