// Rooms and people, section 3 of the contract: settings, roles, the end of a room, blocks, direct conversations, invites.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Socket, assertProblem, at, person, room, say, uuid } from "./lib.mjs";

const open = (who, n) => Socket.open(who, at.ws[n % at.ws.length]);

test("settings: what changed goes round, nothing changed takes no seq", async () => {
  const [ada, bob, eve] = [await person("ada"), await person("bob"), await person("eve")];
  const here = await room(ada, { visibility: "private", memberIds: [bob.id] });
  const path = `/api/rooms/${here.id}`;
  const b = await open(bob, 1);
  await b.join(here.id);
  const changed = await ada.as("PATCH", path, { topic: "leaves", visibility: "public", more: "ignored" });
  assert.equal(changed.status, 200, changed.text);
  assert.ok(changed.headers.get("chat-seen"));
  assert.deepEqual([changed.json.topic, changed.json.visibility, changed.json.name, changed.json.headSeq], ["leaves", "public", here.name, 2]);
  const event = await b.frame((frame) => frame.type === "room");
  assert.deepEqual(event, { type: "room", roomId: here.id, seq: 2, change: "updated", by: ada.id, room: { topic: "leaves", visibility: "public" } });
  for (const same of [{}, { topic: "leaves" }, { name: here.name, visibility: "public" }]) {
    const answer = await ada.as("PATCH", path, same);
    assert.deepEqual([answer.status, answer.json.headSeq], [200, 2]);
  }
  assert.equal((await eve.as("GET", path)).json.topic, "leaves", "anyone sees a public one");
  assertProblem(await bob.as("PATCH", path, { name: "mine" }), 403, "forbidden");
  assertProblem(await eve.as("PATCH", path, { name: "mine" }), 403, "not-a-member");
  for (const bad of [{ name: "" }, { name: "x".repeat(81) }, { visibility: "secret" }, { topic: 7 }]) {
    assertProblem(await ada.as("PATCH", path, bad), 400, "invalid-request");
  }
  assert.equal((await ada.as("PATCH", path, { visibility: "private" })).status, 200);
  assertProblem(await eve.as("GET", path), 404, "not-found");
  await b.close();
});

test("roles: given by owners, told to everybody, the last owner stays", async () => {
  const [ada, bob, eve] = [await person("ada"), await person("bob"), await person("eve")];
  const here = await room(ada, { memberIds: [bob.id] });
  const member = (who) => `/api/rooms/${here.id}/members/${who.id}`;
  const moderator = await ada.as("PATCH", member(bob), { role: "moderator" });
  assert.equal(moderator.status, 200, moderator.text);
  assert.deepEqual([moderator.json.userId, moderator.json.username, moderator.json.role], [bob.id, bob.username, "moderator"]);
  const { items } = (await bob.as("GET", `/api/rooms/${here.id}/events?after=1`)).json;
  assert.deepEqual(items, [{ type: "member", roomId: here.id, seq: 2, userId: bob.id, change: "role", role: "moderator", by: ada.id }]);
  assert.equal((await bob.as("GET", `/api/rooms/${here.id}`)).json.myRole, "moderator");
  assert.equal((await bob.as("POST", `/api/rooms/${here.id}/members`, { userId: eve.id })).status, 201, "a moderator adds");
  assertProblem(await bob.as("PATCH", member(eve), { role: "moderator" }), 403, "forbidden");
  assertProblem(await bob.as("DELETE", member(ada)), 403, "forbidden");
  assertProblem(await ada.as("PATCH", member(ada), { role: "member" }), 409, "conflict");
  assertProblem(await ada.as("PATCH", member({ id: uuid() }), { role: "member" }), 404, "not-found");
  assertProblem(await ada.as("PATCH", member(bob), { role: "king" }), 400, "invalid-request");
  assert.equal((await ada.as("PATCH", member(bob), { role: "owner" })).status, 200);
  assert.equal((await ada.as("PATCH", member(ada), { role: "member" })).status, 200);
  assertProblem(await ada.as("PATCH", member(bob), { role: "member" }), 403, "forbidden");
});

test("the end of a room is the last that its members hear, on every gateway", async () => {
  const [ada, bob, eve] = [await person("ada"), await person("bob"), await person("eve")];
  const here = await room(ada, { memberIds: [bob.id] });
  const path = `/api/rooms/${here.id}`;
  const sockets = [await open(ada, 0), await open(bob, 0), await open(bob, 1)];
  await Promise.all(sockets.map((socket) => socket.join(here.id)));
  await say(bob, here.id, "last words");
  assertProblem(await bob.as("DELETE", path), 403, "forbidden");
  assertProblem(await eve.as("DELETE", path), 403, "not-a-member");
  const deleted = await ada.as("DELETE", path);
  assert.equal(deleted.status, 204, deleted.text);
  for (const socket of sockets) {
    const end = await socket.frame((frame) => frame.type === "room");
    assert.deepEqual([end.change, end.by, end.seq], ["deleted", ada.id, 3]);
    assert.equal((await socket.frame((frame) => frame.type === "notice" && frame.roomId === here.id)).kind, "room-removed");
    assertProblemFrame(await socket.say(here.id, "too late"), "not-found");
    assertProblemFrame(await socket.join(here.id), "not-found");
    const frames = socket.frames.filter((frame) => frame.roomId === here.id && frame.type !== "notice" && frame.type !== "error");
    assert.equal(frames.at(-1).change, "deleted");
  }
  for (const [method, route, body] of [
    ["GET", ""], ["GET", "/messages"], ["GET", "/events"], ["GET", "/members"], ["DELETE", ""], ["POST", "/join"], ["POST", "/leave"],
    ["PATCH", "", { name: "again" }], ["POST", "/messages", { messageId: uuid(), message: "x" }], ["POST", "/invites", {}],
  ]) assertProblem(await ada.as(method, path + route, body), 404, "not-found");
  assert.deepEqual((await bob.as("GET", "/api/rooms")).json.items, []);
  await Promise.all(sockets.map((socket) => socket.close()));
});

function assertProblemFrame(frame, code) {
  assert.deepEqual([frame.type, frame.code], ["error", code]);
}

test("a direct conversation: one for two, for good", async () => {
  const [ada, bob, eve] = [await person("ada"), await person("bob"), await person("eve")];
  const e = await open(eve, 1);
  const dm = (who, userId) => who.as("POST", "/api/dms", { userId });
  const answers = await Promise.all([dm(ada, bob.id), dm(bob, ada.id), dm(ada, bob.id), dm(bob, ada.id)]);
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 200, 200, 201]);
  assert.equal(new Set(answers.map((answer) => answer.json.id)).size, 1);
  const here = answers[0].json;
  assert.deepEqual([here.kind, here.visibility, here.encryption, here.name, here.memberCount], ["dm", "private", "envelope", null, 2]);
  assert.deepEqual(here.peer, { id: bob.id, username: bob.username, displayName: bob.displayName });
  assert.equal((await bob.as("GET", "/api/rooms")).json.items[0].peer.id, ada.id);
  const { items } = (await bob.as("GET", `/api/rooms/${here.id}/events`)).json;
  assert.equal(items.length, 1);
  assert.deepEqual(new Set(items[0].room.members.map((member) => member.userId)), new Set([ada.id, bob.id]));
  const other = await dm(ada, eve.id);
  assert.equal(other.status, 201);
  assert.deepEqual(await e.frame((frame) => frame.type === "notice"), { type: "notice", kind: "dm-created", roomId: other.json.id });
  for (const [method, route, body] of [
    ["PATCH", "", { name: "ours" }], ["DELETE", ""], ["POST", "/leave"], ["POST", "/members", { userId: eve.id }],
    ["PATCH", `/members/${bob.id}`, { role: "owner" }], ["DELETE", `/members/${bob.id}`], ["POST", "/invites", {}], ["GET", "/invites"],
    ["DELETE", "/invites/none"],
  ]) {
    assertProblem(await ada.as(method, `/api/rooms/${here.id}${route}`, body), 403, "forbidden");
    assertProblem(await eve.as(method, `/api/rooms/${here.id}${route}`, body), 404, "not-found");
  }
  assertProblem(await ada.as("POST", `/api/rooms/${here.id}/messages`, { messageId: uuid(), message: "plain" }), 400, "invalid-request");
  assertProblem(await dm(ada, ada.id), 400, "invalid-request");
  assertProblem(await dm(ada, uuid()), 400, "invalid-request");
  await e.close();
});

test("blocks: listed, and what a blocked one can't do", async () => {
  const [ada, bob, eve] = [await person("ada"), await person("bob"), await person("eve")];
  const block = (method, who) => ada.as(method, `/api/me/blocks/${who.id}`);
  for (const who of [bob, eve, bob]) assert.equal((await block("PUT", who)).status, 204);
  const user = ({ id, username, displayName }) => ({ id, username, displayName });
  const listed = (await ada.as("GET", "/api/me/blocks")).json;
  assert.deepEqual(listed, { items: [user(bob), user(eve)].sort((a, b) => (a.username < b.username ? -1 : 1)) });
  const first = (await ada.as("GET", "/api/me/blocks?limit=1")).json;
  const second = (await ada.as("GET", `/api/me/blocks?limit=1&cursor=${first.nextCursor}`)).json;
  assert.deepEqual([...first.items, ...second.items], listed.items);
  assert.equal(second.nextCursor, undefined);
  assertProblem(await bob.as("POST", "/api/dms", { userId: ada.id }), 403, "forbidden");
  const theirs = await room(bob);
  assertProblem(await bob.as("POST", `/api/rooms/${theirs.id}/members`, { userId: ada.id }), 403, "forbidden");
  const create = { name: "x", visibility: "private", memberIds: [ada.id] };
  assertProblem(await bob.as("POST", "/api/rooms", create), 403, "forbidden");
  assert.equal((await ada.as("POST", `/api/rooms/${theirs.id}/join`)).status, 200, "by oneself one may");
  assert.equal((await bob.as("POST", `/api/rooms/${theirs.id}/members`, { userId: ada.id })).status, 200, "who is in stays in");
  assertProblem(await block("PUT", ada), 400, "invalid-request");
  assertProblem(await block("PUT", { id: uuid() }), 404, "not-found");
  for (const who of [bob, eve, bob]) assert.equal((await block("DELETE", who)).status, 204);
  assert.deepEqual((await ada.as("GET", "/api/me/blocks")).json, { items: [] });
  assert.equal((await bob.as("POST", "/api/dms", { userId: ada.id })).status, 201);
});

test("invites: made, listed, accepted, used up, expired, withdrawn, forged", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const here = await room(ada, { visibility: "private", memberIds: [bob.id] });
  const path = `/api/rooms/${here.id}/invites`;
  const accept = (who, code) => who.as("POST", `/api/invites/${code}/accept`);
  const made = await ada.as("POST", path, { maxUses: 2 });
  assert.equal(made.status, 201, made.text);
  const { code, ...rest } = made.json;
  assert.deepEqual(rest, { roomId: here.id, expiresAt: rest.expiresAt, maxUses: 2, uses: 0 });
  const days = (Date.parse(rest.expiresAt) - Date.now()) / 86_400_000;
  assert.ok(days > 6.9 && days < 7.1, String(days));
  assert.equal((await ada.as("POST", path)).json.maxUses, null, "no body: without a bound");
  assert.equal((await accept(ada, code)).status, 200, "a member's accept counts no use");
  const guests = await Promise.all(Array.from({ length: 6 }, () => person("guest")));
  const answers = await Promise.all(guests.map((guest) => accept(guest, code)));
  assert.deepEqual(answers.map((answer) => answer.status).sort(), [200, 200, 410, 410, 410, 410]);
  for (const answer of answers.filter((answer) => answer.status === 410)) assertProblem(answer, 410, "gone");
  assert.equal(answers.find((answer) => answer.status === 200).json.myRole, "member");
  const { items } = (await ada.as("GET", `/api/rooms/${here.id}/events?after=1`)).json;
  assert.deepEqual(items.map((event) => [event.change, event.by === event.userId]), [["joined", true], ["joined", true]]);
  const live = (await ada.as("GET", path)).json;
  assert.deepEqual(live.items.map((invite) => invite.maxUses), [null], "the used up one is gone");
  const second = live.items[0].code;
  assertProblem(await bob.as("GET", path), 403, "forbidden");
  assertProblem(await bob.as("POST", path, {}), 403, "forbidden");
  assertProblem(await bob.as("DELETE", `${path}/${second}`), 403, "forbidden");
  assert.equal((await ada.as("DELETE", `${path}/${second}`)).status, 204);
  assertProblem(await ada.as("DELETE", `${path}/${second}`), 404, "not-found");
  const late = await person("late");
  assertProblem(await accept(late, second), 404, "not-found");
  assertProblem(await accept(late, code.replace(/^./, (first) => (first === "A" ? "B" : "A"))), 404, "not-found");
  for (const bad of [{ expiresInSeconds: 0 }, { expiresInSeconds: 2_592_001 }, { expiresInSeconds: 1.5 }, { maxUses: 0 }, { maxUses: -1 }]) {
    assertProblem(await ada.as("POST", path, bad), 400, "invalid-request");
  }
  const short = (await ada.as("POST", path, { expiresInSeconds: 1 })).json;
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  assertProblem(await accept(late, short.code), 410, "gone");
  assert.deepEqual((await ada.as("GET", path)).json.items, []);
});

test("a room that one device makes, joins or opens is told to the others of its user", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const other = await Socket.open(bob);
  const told = (kind, roomId) => other.frame((frame) => frame.type === "notice" && frame.kind === kind && frame.roomId === roomId);
  const own = await room(bob);
  await told("room-added", own.id);
  const open = await room(ada);
  assert.equal((await bob.as("POST", `/api/rooms/${open.id}/join`)).status, 200);
  await told("room-added", open.id);
  const closed = await room(ada, { visibility: "private" });
  const { code } = (await ada.as("POST", `/api/rooms/${closed.id}/invites`, {})).json;
  assert.equal((await bob.as("POST", `/api/invites/${code}/accept`)).status, 200);
  await told("room-added", closed.id);
  const direct = (await bob.as("POST", "/api/dms", { userId: ada.id })).json;
  await told("dm-created", direct.id);
  await other.close();
});
