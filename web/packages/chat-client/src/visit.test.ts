import { beforeEach, expect, test } from "vitest";
import { ChatClient } from "./client.ts";
import { Stage, said, sent, settled } from "./client.testing.ts";
import { FakeWire } from "./socket.testing.ts";
import { ROOM } from "./testing.ts";

const { last } = FakeWire;
let stage: Stage;
beforeEach(() => {
  stage = new Stage();
});

test("rooms are listed without a socket too, and asked for until they are told", async () => {
  stage.fail("/api/rooms");
  const client = new ChatClient(stage.environment);
  await client.signIn("login", { username: "u", password: "p" });
  await settled();
  expect(client.snapshot().rooms).toEqual([]);
  stage.heal();
  await stage.clock.next();
  await settled();
  expect(client.snapshot()).toMatchObject({ connection: "connecting", rooms: [{ id: ROOM }] });
});

test("a hole is fetched, and one that cannot be now a little later", async () => {
  const client = await stage.inRoom();
  stage.fail("/events");
  last().hear(said(5));
  await settled();
  expect(client.snapshot().logs[ROOM]?.head).toBe(3);
  stage.heal();
  await stage.clock.pass(1_000);
  await settled();
  expect(client.snapshot().logs[ROOM]?.messages.map(({ seq }) => seq)).toEqual([4, 5]);
});

test("a room that is looked at loads what was before, again when that fails, and no other does", async () => {
  const client = await stage.inRoom();
  expect(stage.times("/events")).toBe(0);
  stage.fail("/events");
  client.watch(ROOM);
  await settled();
  last().hear(said(4));
  await settled();
  expect(stage.times("/events")).toBe(1);
  stage.heal();
  await stage.clock.pass(1_000);
  await settled();
  expect(client.snapshot().logs[ROOM]).toMatchObject({
    from: 1,
    messages: [{ seq: 1 }, { seq: 2 }, { seq: 3 }, { seq: 4 }],
  });
  expect(stage.times("/events?after=0&limit=3")).toBe(2);
});

test("the read marker goes out at once, then at most once a second, and the last one always", async () => {
  const client = await stage.inRoom();
  for (const seq of [4, 5, 6]) {
    last().hear(said(seq));
    expect(client.snapshot().rooms[0]?.unreadCount).toBe(1);
    client.read(ROOM);
    expect(client.snapshot().rooms[0]?.unreadCount).toBe(0);
  }
  client.read(ROOM);
  expect(sent("read").map(({ seq }) => seq)).toEqual([4]);
  await stage.clock.pass(1_000);
  expect(sent("read").map(({ seq }) => seq)).toEqual([4, 6]);
  await stage.clock.pass(1_000);
  expect(sent("read")).toHaveLength(2);
});

test("a marker that may not have reached the server is not counted on", async () => {
  const client = await stage.inRoom();
  last().hear(said(4));
  client.read(ROOM);
  last().end(1006);
  expect(client.snapshot().rooms[0]?.unreadCount).toBe(1);
});

test("a count that is not known from here is asked for", async () => {
  const client = await stage.inRoom();
  const before = stage.times("/api/rooms?");
  last().hear({ type: "joined", roomId: ROOM, headSeq: 5, logId: "new", events: [], truncated: true });
  stage.logId = "new";
  await stage.clock.pass(1_000);
  await settled();
  expect(stage.times("/api/rooms?")).toBe(before + 1);
  expect(client.snapshot().rooms[0]).toMatchObject({ logId: "new" });
});

test("a list of several pages is read to its end, and its rooms joined", async () => {
  stage.lists = [["one", "two"], ["three"], [ROOM]];
  const client = await stage.inRoom();
  expect(client.snapshot().rooms.map(({ id }) => id)).toEqual(["one", "two", "three", ROOM]);
  const joined = sent("join").flatMap(({ rooms }) =>
    (rooms as { roomId: string }[]).map(({ roomId }) => roomId),
  );
  expect(joined).toEqual(["one", "two", "three", ROOM]);
});

test("a notice, and a room that is refused, have the rooms listed again", async () => {
  await stage.inRoom();
  const before = stage.times("/api/rooms?");
  last().hear({ type: "notice", kind: "room-added", roomId: "other" });
  await settled();
  expect(stage.times("/api/rooms?")).toBe(before + 1);
  stage.fail("/events", 404);
  last().hear(said(5));
  await settled();
  expect(stage.times("/api/rooms?")).toBe(before + 2);
});

test("who asks for the list while another try waits is answered once", async () => {
  stage.fail("/api/rooms?");
  const client = new ChatClient(stage.environment);
  await client.signIn("login", { username: "u", password: "p" });
  await settled();
  stage.heal();
  stage.open();
  await settled();
  const before = stage.times("/api/rooms?");
  await stage.clock.pass(10_000);
  await settled();
  expect(stage.times("/api/rooms?")).toBe(before);
});

test("a list that is refused for good ends the client", async () => {
  const client = await stage.inRoom();
  stage.fail("/", 401);
  last().hear({ type: "notice", kind: "room-added", roomId: "other" });
  await settled();
  expect(client.snapshot()).toMatchObject({ phase: "signed-out", rooms: [] });
});

test("my marker moves wherever I read, another's is not mine, and without a line none is moved", async () => {
  const client = await stage.inRoom();
  const unread = (): number | undefined => client.snapshot().rooms[0]?.unreadCount;
  last().hear(said(4));
  last().hear({ type: "read", roomId: ROOM, userId: "you", seq: 4 });
  expect(unread()).toBe(1);
  last().hear({ type: "read", roomId: ROOM, userId: "ada", seq: 4 });
  expect(unread()).toBe(0);
  last().hear(said(5));
  last().end(1006);
  client.read(ROOM);
  expect(unread()).toBe(2);
});

test("what a rejoin brings is told of the room too", async () => {
  const client = await stage.inRoom();
  const member = { type: "member", roomId: ROOM, seq: 4, userId: "x", change: "added", by: "you" };
  last().hear({ type: "joined", roomId: ROOM, headSeq: 4, logId: "log", events: [member], truncated: false });
  expect(client.snapshot().rooms[0]?.memberCount).toBe(3);
});

test("a wide hole is asked for in pages, and history too where a page ends early", async () => {
  stage.events = Array.from({ length: 1_500 }, (_, n) => said(n + 1));
  const client = await stage.inRoom();
  client.watch(ROOM);
  await settled();
  last().hear(said(1_500));
  await settled();
  expect(stage.asked.filter((path) => path.includes("after=3&"))).toEqual([
    `/api/rooms/${ROOM}/events?after=3&limit=1000`,
  ]);
  expect(client.snapshot().logs[ROOM]).toMatchObject({ from: 1, head: 1_500 });

  stage.pageOf = 2;
  const other = await stage.inRoom();
  other.watch(ROOM);
  await settled();
  expect(other.snapshot().logs[ROOM]?.messages.map(({ seq }) => seq)).toEqual([1, 2, 3]);
});

test("history of another log is not put in front of this one", async () => {
  const client = await stage.inRoom();
  stage.logId = "new";
  client.watch(ROOM);
  await settled();
  expect(client.snapshot().logs[ROOM]).toMatchObject({ from: 4, messages: [] });
});

test("a room that nobody looks at is not read back for ever", async () => {
  stage.events = Array.from({ length: 2_000 }, (_, n) => said(n + 1));
  const client = await stage.inRoom();
  last().hear({ type: "joined", roomId: ROOM, headSeq: 2_000, logId: "log", events: [], truncated: true });
  for (let n = 0; n < 4; n++) await client.older(ROOM);
  expect(stage.times("/events")).toBe(4);
});

test("who sends has left off typing", async () => {
  const client = await stage.inRoom();
  client.typing(ROOM, true);
  client.send(ROOM, "hello");
  expect(sent("typing").map(({ typing }) => typing)).toEqual([true, false]);
});

test("an answer without a leader is said, and the list is asked for, ever more seldom, until it comes with one", async () => {
  const client = await stage.inRoom();
  const waits: number[] = [];
  stage.leaderless = true;
  await client.older(ROOM);
  expect(client.snapshot().stale).toBe(true);
  const before = stage.times("/api/rooms?");
  const waited = async (): Promise<void> => {
    waits.push(await stage.clock.next());
    await settled();
  };
  for (let n = 0; n < 3; n++) await waited();
  expect([waits, client.snapshot().stale]).toEqual([[125, 250, 500], true]);
  stage.leaderless = false;
  await waited();
  expect(client.snapshot().stale).toBe(false);
  expect(stage.times("/api/rooms?")).toBe(before + 4);
  await stage.clock.pass(10_000);
  expect(stage.times("/api/rooms?")).toBe(before + 4);
});

test("a list of which one page was stale is stale", async () => {
  stage.lists = [["one"], [ROOM]];
  stage.leaderless = true;
  const client = new ChatClient(stage.environment);
  await client.signIn("login", { username: "u", password: "p" });
  const { fetch } = stage.environment;
  stage.environment.fetch = (url, more) => {
    stage.leaderless = !String(url).includes("cursor");
    return fetch(url, more);
  };
  await settled();
  expect(client.snapshot()).toMatchObject({ stale: true, rooms: [{ id: "one" }, { id: ROOM }] });
});

test("how people are is known as it was told last, and on a lost line of nobody", async () => {
  const client = await stage.inRoom();
  for (const [userId, status] of Object.entries({ you: "online", bob: "online" })) {
    last().hear({ type: "presence", userId, status });
  }
  last().hear({ type: "presence", userId: "bob", status: "away" });
  expect(client.snapshot().presence).toEqual({ you: "online", bob: "away" });
  last().end(1006);
  expect(client.snapshot().presence).toEqual({});
});
