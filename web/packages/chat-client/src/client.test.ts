import { beforeEach, expect, test } from "vitest";
import { ChatClient } from "./client.ts";
import { Stage, said, sent, settled } from "./client.testing.ts";
import type { Entry } from "./outbox.ts";
import { FakeWire } from "./socket.testing.ts";
import { ROOM } from "./testing.ts";

const { last } = FakeWire;
let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});

test("while the server is away the session of before is asked for, until that is known", async () => {
  await (await stage.inRoom()).close();
  stage.fail("/auth/refresh");
  const client = new ChatClient(stage.environment);
  await client.start();
  expect(client.snapshot()).toMatchObject({ phase: "starting", connection: "lost", notice: "Later." });
  expect(await stage.clock.next()).toBe(125);
  await settled();
  stage.heal();
  expect(await stage.clock.next()).toBe(250);
  await settled();
  expect(client.snapshot()).toMatchObject({ phase: "signed-in", user: { id: "ada" } });
  expect(client.snapshot().notice).toBeUndefined();
});

test("who closes while the session is still asked for stays away", async () => {
  (await stage.inRoom()).close();
  const client = new ChatClient(stage.environment);
  const started = client.start();
  client.close();
  await started;
  await settled();
  expect([client.snapshot().phase, FakeWire.all.length, stage.clock.waiting]).toEqual(["starting", 1, 0]);
});

test("what waits is sent when there is a line, over the next run of the program under the same id", async () => {
  const client = await stage.inRoom();
  last().end(1006);
  const messageId = client.send(ROOM, "hello");
  expect(client.snapshot()).toMatchObject({ connection: "lost", outbox: [{ draft: { messageId } }] });
  client.close();
  const next = new ChatClient(stage.environment);
  await next.start();
  await settled();
  expect(next.snapshot().outbox).toMatchObject([{ draft: { messageId, message: "hello" } }]);
  stage.open();
  expect(sent("send")).toMatchObject([{ messageId, message: "hello" }]);
  last().hear({ type: "ack", roomId: ROOM, messageId, seq: 4, sentAt: "now" });
  expect(next.snapshot().outbox).toEqual([]);
  expect(next.snapshot().logs[ROOM]?.messages).toMatchObject([{ messageId, seq: 4 }]);
  expect(await stage.environment.outbox.load("ada")).toEqual([]);
});

test("when the browser's session is another user's, the client goes on as that one, with nothing of the first", async () => {
  const client = await stage.inRoom();
  last().end(1006);
  client.send(ROOM, "by ada");
  stage.who = "bob";
  await stage.clock.pass(600_000);
  await settled();
  expect(client.snapshot()).toMatchObject({ phase: "signed-in", user: { id: "bob" }, outbox: [] });
  stage.open();
  expect(sent("send")).toEqual([]);
  expect(await stage.environment.outbox.load("ada")).toHaveLength(1);
});

test("what a slow store brings goes out on the socket that is open by then", async () => {
  let load: (entries: Entry[]) => void = () => undefined;
  stage.environment.outbox.load = () => new Promise((resolve) => (load = resolve));
  const client = new ChatClient(stage.environment);
  void client.signIn("login", { username: "u", password: "p" });
  await settled();
  stage.open();
  load([
    { draft: { roomId: ROOM, messageId: "kept", message: "hello" }, order: 1, state: { kind: "queued" } },
  ]);
  await settled();
  expect(sent("send")).toMatchObject([{ messageId: "kept" }]);
});

test("a store that fails is said, and the message goes out all the same", async () => {
  stage.environment.outbox.keep = () => Promise.reject(new Error("full"));
  const client = await stage.inRoom();
  client.send(ROOM, "hello");
  await settled();
  expect(client.snapshot().notice).toMatch(/not outlive/);
  expect(sent("send")).toHaveLength(1);
});

test("a store that fails after the user has gone is not the next one's trouble", async () => {
  let fail: () => void = () => undefined;
  stage.environment.outbox.keep = () => new Promise((_, reject) => (fail = () => reject(new Error("full"))));
  const client = await stage.inRoom();
  client.send(ROOM, "hello");
  await client.signOut();
  fail();
  await settled();
  expect(client.snapshot().notice).toBeUndefined();
});

test("who signs out has nothing left, and hears nothing any more", async () => {
  const client = await stage.inRoom();
  const wire = last();
  last().end(1006);
  client.send(ROOM, "unsent");
  await client.signOut();
  const nothing = { rooms: [], logs: {}, outbox: [], typing: {}, presence: {}, stale: false };
  expect(client.snapshot()).toEqual({ phase: "signed-out", connection: "connecting", ...nothing });
  expect(await stage.environment.outbox.load("ada")).toEqual([]);
  wire.hear(said(4));
  expect([stage.clock.waiting, client.snapshot().logs]).toEqual([0, {}]);
  expect(() => client.send(ROOM, "x")).toThrow("Nobody is signed in.");
});
