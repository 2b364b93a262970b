import { expect, test } from "vitest";
import type { LogMessage } from "./fold.ts";
import type { Room } from "./http.ts";
import { startLog, type RoomLog } from "./log.ts";
import { RoomList, count } from "./rooms.ts";

const room = (more: Partial<Room>): Room => ({
  ...{ id: "r", kind: "room", visibility: "public", encryption: "none", epoch: 0, createdAt: "now" },
  ...{ memberCount: 2, headSeq: 10, logId: "log", readSeq: 4, unreadCount: 5, mentionCount: 1, name: "Tea" },
  ...more,
});
const message = (seq: number, more: Partial<LogMessage> = {}): LogMessage => ({
  ...{ roomId: "r", seq, messageId: `m${seq}`, senderId: "you", senderName: "You", sentAt: "now" },
  ...{ mentions: [], body: { kind: "text", text: "x" }, reactions: [] },
  ...more,
});
const log = (from: number, head: number, messages: LogMessage[]): RoomLog => ({
  ...{ ...startLog("log", head), from, messages },
});
const counts = (unreadCount: number, mentionCount: number, sure: boolean) => ({
  ...{ unreadCount, mentionCount, sure },
});

test("without a log the listed counts stand", () => {
  expect(count(room({}), 4, undefined, "me")).toEqual(counts(5, 1, true));
});

test("what is heard since is added: others' messages that stand, and those that name me", () => {
  const heard = [
    message(11),
    message(12, { mentions: ["me"] }),
    message(13, { senderId: "me" }),
    message(14, { body: { kind: "deleted" } }),
  ];
  expect(count(room({}), 4, log(11, 14, heard), "me")).toEqual(counts(7, 2, true));
});

test("where the log reaches back to the marker, it alone counts", () => {
  const heard = [message(4), message(5), message(9, { mentions: ["me"] }), message(11)];
  expect(count(room({}), 4, log(5, 12, heard), "me")).toEqual(counts(3, 1, true));
  expect(count(room({}), 9, log(5, 12, heard), "me")).toEqual(counts(1, 0, true));
  // It ends before the place at which the server counted.
  expect(count(room({}), 4, log(5, 9, heard.slice(0, 3)), "me")).toEqual(counts(5, 1, true));
});

test("a marker at the head leaves nothing, one in the middle of what is not known is not sure", () => {
  expect(count(room({}), 10, undefined, "me")).toEqual(counts(0, 0, true));
  expect(count(room({}), 7, undefined, "me").sure).toBe(false);
  expect(count(room({}), 11, log(12, 12, []), "me")).toEqual(counts(0, 0, true));
});

test("what went by unseen, another history, and a deletion of something unseen are not sure", () => {
  expect(count(room({}), 4, log(13, 12, []), "me").sure).toBe(false);
  expect(count(room({}), 4, startLog("other", 20), "me").sure).toBe(false);
  const changes = [
    { type: "deleted" as const, roomId: "r", seq: 11, messageId: "m6", deletedBy: "you", deletedAt: "now" },
  ];
  const heard = { ...log(11, 11, []), changes };
  expect(count(room({}), 4, heard, "me").sure).toBe(false);
  expect(count(room({ headSeq: 11 }), 4, heard, "me").sure).toBe(true);
  expect(count(room({ unreadCount: 0 }), 4, heard, "me")).toEqual(counts(0, 1, true));
});

test("a marker only moves forward, and one that may not have arrived is forgotten", () => {
  const rooms = new RoomList("me");
  rooms.list([room({})]);
  rooms.read("r", 10);
  rooms.read("r", 8);
  expect(rooms.marker("r")).toBe(10);
  expect(rooms.look({}).rooms[0]).toMatchObject({ unreadCount: 0, mentionCount: 0 });
  rooms.lost();
  expect(rooms.look({}).rooms[0]).toMatchObject({ unreadCount: 5, mentionCount: 1 });
});

test("what changes of a room is told once, and not what the list knew already", () => {
  const rooms = new RoomList("me");
  rooms.list([room({})]);
  const at = { roomId: "r", by: "you" };
  rooms.event({ ...at, type: "member", seq: 10, userId: "x", change: "joined" });
  expect(rooms.look({}).rooms[0]?.memberCount).toBe(2);
  const joined = { ...at, type: "member" as const, seq: 11, userId: "x", change: "joined" as const };
  rooms.event(joined);
  rooms.event(joined);
  rooms.event({ ...at, type: "member", seq: 12, userId: "me", change: "role", role: "owner" });
  rooms.event({ ...at, type: "room", seq: 13, change: "updated", room: { name: "Coffee" } as never });
  expect(rooms.look({}).rooms[0]).toMatchObject({ memberCount: 3, myRole: "owner", name: "Coffee" });
  rooms.event({ ...at, type: "member", seq: 14, userId: "x", change: "left" });
  expect(rooms.look({}).rooms[0]?.memberCount).toBe(2);
});

test("a list that was made before what was heard since does not undo it", () => {
  const rooms = new RoomList("me");
  rooms.list([room({})]);
  for (const seq of [11, 12]) {
    rooms.event({ roomId: "r", by: "you", type: "member", seq, userId: `u${seq}`, change: "added" });
  }
  rooms.list([room({ headSeq: 11, memberCount: 3 })]);
  expect(rooms.look({}).rooms[0]?.memberCount).toBe(4);
});

test("the list is the same value until something of it changes", () => {
  const rooms = new RoomList("me");
  rooms.list([room({}), room({ id: "s" })]);
  const before = rooms.look({}).rooms;
  expect(rooms.look({}).rooms).toBe(before);
  const after = rooms.look({ s: log(11, 11, [message(11)]) }).rooms;
  expect(after).not.toBe(before);
  expect(after[0]).toBe(before[0]);
  expect(after[1]?.unreadCount).toBe(6);
});
