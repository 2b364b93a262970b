import { beforeEach, expect, test } from "vitest";
import { ChatClient } from "./client.ts";
import { TestClock } from "./clock.testing.ts";
import { inMemory, type Environment } from "./environment.ts";
import type { Entry } from "./outbox.ts";
import { FakeWire } from "./socket.testing.ts";
import { LIMITS, ROOM } from "./testing.ts";
import type { DurableEvent } from "./wire.ts";

const { last } = FakeWire;
const ROOM_LISTED = {
  ...{ id: ROOM, kind: "room", name: "Tea", visibility: "public", encryption: "none", epoch: 0 },
  ...{
    createdAt: "now",
    memberCount: 2,
    headSeq: 3,
    logId: "log",
    readSeq: 3,
    unreadCount: 0,
    mentionCount: 0,
  },
};
const said = (seq: number): DurableEvent => ({
  ...{ type: "message", roomId: ROOM, seq, messageId: `m${seq}`, message: `${seq}` },
  ...{ senderId: "you", senderName: "You", sentAt: "now" },
});

/** What is asked for and not answered otherwise works. */
let who: string;
let down: ReadonlySet<string>;
let asked: string[];
let history: string;
async function server(url: string | URL | globalThis.Request): Promise<Response> {
  const path = String(url).replace("http://x", "");
  asked.push(path);
  const failed = [...down].find((each) => path.includes(each));
  if (failed) return Response.json({ code: "unavailable", detail: "Later." }, { status: 503 });
  if (path.startsWith("/auth/")) {
    return Response.json({
      user: { id: who, displayName: who },
      accessToken: `token of ${who}`,
      expiresIn: 600,
    });
  }
  if (path.startsWith("/api/rooms?")) return Response.json({ items: [{ ...ROOM_LISTED, logId: history }] });
  const [after = 0, limit = 0] = (path.match(/\d+/g) ?? []).map(Number);
  const items = [1, 2, 3, 4, 5].slice(after, after + limit).map(said);
  return Response.json({ items, headSeq: 5, logId: "log", hasMore: false });
}
const times = (part: string): number => asked.filter((path) => path.includes(part)).length;

let clock: TestClock;
let environment: Environment;
/** Signed in, in the room, whose log ends at 3. */
async function inRoom(): Promise<ChatClient> {
  const client = new ChatClient(environment);
  await client.signIn("login", { username: "u", password: "p" });
  await settled();
  open();
  await settled();
  return client;
}
function open(): void {
  last().hear({ type: "welcome", userId: who, expiresAt: "later", limits: LIMITS });
  last().hear({ type: "joined", roomId: ROOM, headSeq: 3, logId: "log", events: [], truncated: false });
}
/** Answers of the server take a few turns. */
const settled = async (): Promise<void> => {
  for (let n = 0; n < 5; n++) await new Promise((resolve) => setTimeout(resolve, 0));
};
const sent = (type: string): Record<string, unknown>[] =>
  last()
    .sent.map((text) => JSON.parse(text) as Record<string, unknown>)
    .filter((frame) => frame["type"] === type);

beforeEach(() => {
  [who, down, asked] = ["ada", new Set(), []];
  history = "log";
  FakeWire.all = [];
  clock = new TestClock();
  const fetch = server as typeof globalThis.fetch;
  environment = inMemory({ origin: "http://x", fetch, WebSocket: FakeWire, clock, random: () => 0.5 });
});

test("while the server is away the session of before is asked for, until that is known", async () => {
  await (await inRoom()).close();
  down = new Set(["/auth/refresh"]);
  const client = new ChatClient(environment);
  await client.start();
  expect(client.snapshot()).toMatchObject({ phase: "starting", connection: "lost", notice: "Later." });
  expect(await clock.next()).toBe(125);
  await settled();
  down = new Set();
  expect(await clock.next()).toBe(250);
  await settled();
  expect(client.snapshot()).toMatchObject({ phase: "signed-in", user: { id: "ada" } });
  expect(client.snapshot().notice).toBeUndefined();
});

test("who closes while the session is still asked for stays away", async () => {
  (await inRoom()).close();
  const client = new ChatClient(environment);
  const started = client.start();
  client.close();
  await started;
  await settled();
  expect([client.snapshot().phase, FakeWire.all.length, clock.waiting]).toEqual(["starting", 1, 0]);
});

test("rooms are listed without a socket too, and asked for until they are told", async () => {
  down = new Set(["/api/rooms"]);
  const client = new ChatClient(environment);
  await client.signIn("login", { username: "u", password: "p" });
  await settled();
  expect(client.snapshot().rooms).toEqual([]);
  down = new Set();
  await clock.next();
  await settled();
  expect(client.snapshot()).toMatchObject({ connection: "connecting", rooms: [{ id: ROOM }] });
});

test("what waits is sent when there is a line, over the next run of the program under the same id", async () => {
  const client = await inRoom();
  last().end(1006);
  const messageId = client.send(ROOM, "hello");
  expect(client.snapshot()).toMatchObject({ connection: "lost", outbox: [{ draft: { messageId } }] });
  client.close();
  const next = new ChatClient(environment);
  await next.start();
  await settled();
  expect(next.snapshot().outbox).toMatchObject([{ draft: { messageId, message: "hello" } }]);
  open();
  expect(sent("send")).toMatchObject([{ messageId, message: "hello" }]);
  last().hear({ type: "ack", roomId: ROOM, messageId, seq: 4, sentAt: "now" });
  expect(next.snapshot().outbox).toEqual([]);
  expect(next.snapshot().logs[ROOM]?.messages).toMatchObject([{ messageId, seq: 4 }]);
  expect(await environment.outbox.load("ada")).toEqual([]);
});

test("when the browser's session is another user's, the client goes on as that one, with nothing of the first", async () => {
  const client = await inRoom();
  last().end(1006);
  client.send(ROOM, "by ada");
  who = "bob";
  await clock.pass(600_000);
  await settled();
  expect(client.snapshot()).toMatchObject({ phase: "signed-in", user: { id: "bob" }, outbox: [] });
  open();
  expect(sent("send")).toEqual([]);
  expect(await environment.outbox.load("ada")).toHaveLength(1);
});

test("what a slow store brings goes out on the socket that is open by then", async () => {
  let load: (entries: Entry[]) => void = () => undefined;
  environment.outbox.load = () => new Promise((resolve) => (load = resolve));
  const client = new ChatClient(environment);
  void client.signIn("login", { username: "u", password: "p" });
  await settled();
  open();
  load([
    { draft: { roomId: ROOM, messageId: "kept", message: "hello" }, order: 1, state: { kind: "queued" } },
  ]);
  await settled();
  expect(sent("send")).toMatchObject([{ messageId: "kept" }]);
});

test("a store that fails is said, and the message goes out all the same", async () => {
  environment.outbox.keep = () => Promise.reject(new Error("full"));
  const client = await inRoom();
  client.send(ROOM, "hello");
  await settled();
  expect(client.snapshot().notice).toMatch(/not outlive/);
  expect(sent("send")).toHaveLength(1);
});

test("a hole is fetched, and one that cannot be now a little later", async () => {
  const client = await inRoom();
  down = new Set(["/events"]);
  last().hear(said(5));
  await settled();
  expect(client.snapshot().logs[ROOM]?.head).toBe(3);
  down = new Set();
  await clock.pass(1_000);
  await settled();
  expect(client.snapshot().logs[ROOM]?.messages.map(({ seq }) => seq)).toEqual([4, 5]);
});

test("a room that is looked at loads what was before, again when that fails, and no other does", async () => {
  const client = await inRoom();
  expect(times("/events")).toBe(0);
  down = new Set(["/events"]);
  client.watch(ROOM);
  await settled();
  last().hear(said(4));
  await settled();
  expect(times("/events")).toBe(1);
  down = new Set();
  await clock.pass(1_000);
  await settled();
  expect(client.snapshot().logs[ROOM]).toMatchObject({
    from: 1,
    messages: [{ seq: 1 }, { seq: 2 }, { seq: 3 }, { seq: 4 }],
  });
  expect(times("/events?after=0&limit=3")).toBe(2);
});

test("the read marker goes out at once, then at most once a second, and the last one always", async () => {
  const client = await inRoom();
  for (const seq of [4, 5, 6]) {
    last().hear(said(seq));
    expect(client.snapshot().rooms[0]?.unreadCount).toBe(1);
    client.read(ROOM);
    expect(client.snapshot().rooms[0]?.unreadCount).toBe(0);
  }
  client.read(ROOM);
  expect(sent("read").map(({ seq }) => seq)).toEqual([4]);
  await clock.pass(1_000);
  expect(sent("read").map(({ seq }) => seq)).toEqual([4, 6]);
  await clock.pass(1_000);
  expect(sent("read")).toHaveLength(2);
});

test("a marker that may not have reached the server is not counted on", async () => {
  const client = await inRoom();
  last().hear(said(4));
  client.read(ROOM);
  last().end(1006);
  expect(client.snapshot().rooms[0]?.unreadCount).toBe(1);
});

test("a count that is not known from here is asked for", async () => {
  const client = await inRoom();
  const before = times("/api/rooms?");
  last().hear({ type: "joined", roomId: ROOM, headSeq: 5, logId: "new", events: [], truncated: true });
  history = "new";
  await clock.pass(1_000);
  await settled();
  expect(times("/api/rooms?")).toBe(before + 1);
  expect(client.snapshot().rooms[0]).toMatchObject({ logId: "new" });
});

test("who signs out has nothing left, and hears nothing any more", async () => {
  const client = await inRoom();
  const wire = last();
  last().end(1006);
  client.send(ROOM, "unsent");
  await client.signOut();
  const nothing = { rooms: [], logs: {}, outbox: [], typing: {} };
  expect(client.snapshot()).toEqual({ phase: "signed-out", connection: "connecting", ...nothing });
  expect(await environment.outbox.load("ada")).toEqual([]);
  wire.hear(said(4));
  expect([clock.waiting, client.snapshot().logs]).toEqual([0, {}]);
  expect(() => client.send(ROOM, "x")).toThrow("Nobody is signed in.");
});
