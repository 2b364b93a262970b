import fc from "fast-check";
import { expect, test } from "vitest";
import type { LogMessage } from "./fold.ts";
import type { Room } from "./http.ts";
import { apply, prepend, startLog, type RoomLog } from "./log.ts";
import { RoomList, count } from "./rooms.ts";
import type { DurableEvent } from "./wire.ts";

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

test("a deletion behind the list, of a message that is here and was counted in it, is not sure", () => {
  const gone = message(9, { body: { kind: "deleted" }, deletedSeq: 11 });
  const heard = log(8, 11, [message(8), gone]);
  expect(count(room({}), 4, heard, "me").sure).toBe(false);
  expect(count(room({ headSeq: 11 }), 4, heard, "me").sure).toBe(true);
});

/** What somebody did: said something (one in three names me, one in four is mine), or deleted what was said. */
const deed = fc.record({ deletes: fc.boolean(), n: fc.nat(100) });

function told(deeds: readonly { deletes: boolean; n: number }[]): DurableEvent[] {
  const standing: string[] = [];
  return deeds.map(({ deletes, n }, at) => {
    const [gone] = deletes ? standing.splice(n % (standing.length || 1), 1) : [];
    const where = { roomId: "r", seq: at + 1 };
    if (gone) return { ...where, type: "deleted", messageId: gone, deletedBy: "you", deletedAt: "now" };
    standing.push(`m${at + 1}`);
    return {
      ...{
        ...where,
        type: "message",
        messageId: `m${at + 1}`,
        senderName: "You",
        sentAt: "now",
        message: "x",
      },
      ...{ senderId: n % 4 === 0 ? "me" : "you", mentions: n % 3 === 0 ? ["me"] : [] },
    };
  });
}

/** My unread messages and those that name me, as a server counts them at a place of its log. */
function counted(events: readonly DurableEvent[], read: number, head: number) {
  const upTo = events.filter(({ seq }) => seq <= head);
  const gone = new Set(upTo.flatMap((event) => (event.type === "deleted" ? [event.messageId] : [])));
  const fresh = upTo.flatMap((event) =>
    event.type === "message" && event.seq > read && event.senderId !== "me" && !gone.has(event.messageId)
      ? [event]
      : [],
  );
  return {
    unreadCount: fresh.length,
    mentionCount: fresh.filter(({ mentions }) => mentions?.includes("me")).length,
  };
}

test("a count that is sure is the server's, wherever the list was made, the log begins and the marker is", () => {
  const places = fc.array(fc.nat(40), { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(fc.array(deed, { minLength: 1, maxLength: 40 }), places, (deeds, at) => {
      const events = told(deeds);
      const place = (n: number) => (at[n] ?? 0) % (events.length + 1);
      const [headSeq, readSeq, joined, older, head] = [place(0), place(1), place(2), place(3), place(4)];
      const read = Math.max(readSeq, (at[0] ?? 0) % 2 ? place(3) : 0);
      const until = Math.max(joined, head);
      const begun = events.slice(joined, until).reduce(apply, startLog("log", joined));
      const log = prepend(begun, events.slice(Math.min(older, joined), joined));
      const listed = room({ headSeq, readSeq, ...counted(events, readSeq, headSeq) });
      const { sure, ...shown } = count(listed, read, log, "me");
      if (sure) expect(shown).toEqual(counted(events, read, Math.max(headSeq, until)));
    }),
    { numRuns: 5_000 },
  );
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
