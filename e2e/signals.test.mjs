// What has no place in the log: typing and presence, over two gateways.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Socket, at, here, mint, person, quiet, room, say } from "./lib.mjs";

const typing = (who, value) => (frame) => frame.type === "typing" && frame.userId === who.id && frame.typing === value;
const presence = (who, status) => (frame) => frame.type === "presence" && frame.userId === who.id && frame.status === status;
const count = (socket, matches) => socket.frames.filter(matches).length;

test("typing goes to the others, ends by itself, with the message, and with the socket", async () => {
  const { ada, bob, id, a, b } = await here();
  const second = await Socket.open(ada, at.ws.at(-1));
  await second.join(id);
  a.send({ type: "typing", roomId: id, typing: true });
  const heard = await b.frame(typing(ada, true));
  assert.deepEqual(heard, { type: "typing", roomId: id, userId: ada.id, typing: true });
  await b.frame(typing(ada, false));
  b.frames.length = 0;
  a.send({ type: "typing", roomId: id, typing: true });
  await b.frame(typing(ada, true));
  await a.say(id, "what was typed");
  await b.frame(typing(ada, false));
  assert.deepEqual(b.frames.map((frame) => frame.type).filter((type) => type !== "presence"), ["typing", "message", "typing"]);
  b.frames.length = 0;
  a.send({ type: "typing", roomId: id, typing: true });
  await b.frame(typing(ada, true));
  await a.close();
  await b.frame(typing(ada, false), 4);
  assert.equal(count(second, (frame) => frame.type === "typing"), 0, "not to the sender's own sockets");
  await Promise.all([second.close(), b.close()]);
});

test("typing of who has not joined, or is a stranger, reaches nobody; a flood is thinned", async () => {
  const { ada, id, a, b } = await here();
  const [eve, outside] = [await Socket.open(await person("eve")), await Socket.open(ada)];
  for (const socket of [eve, outside]) {
    socket.send({ type: "typing", roomId: id, typing: true });
    assert.equal((await socket.ask({ type: "ping" })).type, "pong");
  }
  for (let n = 0; n < 50; n++) a.send({ type: "typing", roomId: id, typing: n % 2 === 0 });
  await b.frame((frame) => frame.type === "typing");
  await quiet(1_500);
  assert.ok(count(b, (frame) => frame.type === "typing") <= 4, "at most two a second");
  assert.ok(b.frames.every((frame) => frame.type !== "typing" || frame.userId === ada.id));
  await Promise.all([a, b, eve, outside].map((socket) => socket.close()));
});

test("typing in a direct conversation reaches nobody while either blocks the other", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const { id } = (await ada.as("POST", "/api/dms", { userId: bob.id })).json;
  const [a, b] = [await Socket.open(ada, at.ws[0]), await Socket.open(bob, at.ws.at(-1))];
  for (const socket of [a, b]) await socket.join(id);
  const type = (value) => [a, b].forEach((socket) => socket.send({ type: "typing", roomId: id, typing: value }));
  type(true);
  await Promise.all([a.frame(typing(bob, true)), b.frame(typing(ada, true))]);
  type(false);
  await Promise.all([a.frame(typing(bob, false)), b.frame(typing(ada, false))]);
  assert.equal((await bob.as("PUT", `/api/me/blocks/${ada.id}`)).status, 204);
  for (const socket of [a, b]) socket.frames.length = 0;
  type(true);
  await quiet(1_500);
  type(false);
  await quiet(1_000);
  for (const socket of [a, b]) assert.equal(count(socket, (frame) => frame.type === "typing"), 0);
  assert.equal((await bob.as("DELETE", `/api/me/blocks/${ada.id}`)).status, 204);
  type(true);
  await Promise.all([a.frame(typing(bob, true)), b.frame(typing(ada, true))]);
  await Promise.all([a, b].map((socket) => socket.close()));
});

test("presence: who joins is shown, sees who is there; away is all sockets; offline once all are gone", async () => {
  const { ada, bob, id, a, b } = await here();
  await Promise.all([a.frame(presence(bob, "online")), b.frame(presence(ada, "online"))]);
  const statuses = async () => {
    const { items } = (await ada.as("GET", `/api/rooms/${id}/members`)).json;
    return Object.fromEntries(items.map((member) => [member.userId, member.presence]));
  };
  assert.deepEqual(await statuses(), { [ada.id]: "online", [bob.id]: "online" });
  const phone = await Socket.open(bob, at.ws[0]);
  phone.send({ type: "presence", status: "away" });
  await phone.ask({ type: "ping" });
  b.send({ type: "presence", status: "away" });
  await a.frame(presence(bob, "away"));
  assert.equal((await statuses())[bob.id], "away");
  phone.send({ type: "presence", status: "online" });
  await a.frame(() => count(a, presence(bob, "online")) === 2);
  a.frames.length = 0;
  await Promise.all([b.close(), phone.close()]);
  await a.frame(presence(bob, "offline"), 15);
  assert.equal((await statuses())[bob.id], "offline");
  assert.equal(count(a, (frame) => frame.type === "presence" && frame.status !== "offline"), 0);
  await a.close();
});

test("who reconnects in a moment, on the same gateway or another, was never away", async () => {
  const { bob, id, a, b } = await here();
  await a.frame(presence(bob, "online"));
  a.frames.length = 0;
  let socket = b;
  for (const url of [at.ws.at(-1), at.ws[0]]) {
    await socket.close();
    socket = await Socket.open(bob, url);
    await socket.join(id);
  }
  await quiet(5_000);
  assert.deepEqual(a.frames.filter((frame) => frame.type === "presence"), []);
  await Promise.all([a.close(), socket.close()]);
});

test("a strange room's presence is not told", async () => {
  const { a, b } = await here();
  const eve = await person("eve");
  const elsewhere = await room(eve);
  const e = await Socket.open(eve);
  await e.join(elsewhere.id);
  await quiet(1_500);
  for (const socket of [a, b]) assert.equal(count(socket, (frame) => frame.userId === eve.id && frame.type === "presence"), 0);
  assert.equal(count(e, (frame) => frame.type === "presence"), 0);
  await Promise.all([a, b, e].map((socket) => socket.close()));
});

test("presence and typing take the right to write", async () => {
  const { ada, id, a, b } = await here();
  const token = await mint(ada, { scopes: ["chat:read"] });
  const reader = await Socket.open({ token });
  await reader.join(id);
  for (const frame of [{ type: "presence", status: "away" }, { type: "typing", roomId: id, typing: true }, { type: "read", roomId: id, seq: 1 }]) {
    assert.equal((await reader.ask(frame)).code, "forbidden");
  }
  assert.equal((await reader.ask({ type: "presence", status: "offline" })).code, "invalid-request");
  await Promise.all([a, b, reader].map((socket) => socket.close()));
});

const read = (who, seq) => (frame) => frame.type === "read" && frame.userId === who.id && frame.seq === seq;

test("read markers: to the reader's own sockets and the others, once a second, and the last is not lost", async () => {
  const { ada, bob, id, a, b } = await here();
  const second = await Socket.open(ada, at.ws.at(-1));
  for (let n = 0; n < 10; n++) await say(bob, id, `m${n}`);
  for (let seq = 2; seq <= 11; seq++) a.send({ type: "read", roomId: id, seq });
  const heard = await b.frame(read(ada, 11));
  assert.deepEqual(heard, { type: "read", roomId: id, userId: ada.id, seq: 11 });
  await Promise.all([a.frame(read(ada, 11)), second.frame(read(ada, 11))]);
  for (const socket of [a, b, second]) {
    assert.ok(count(socket, (frame) => frame.type === "read") <= 3, "at most one a second");
  }
  const mine = (await ada.as("GET", `/api/rooms/${id}`)).json;
  assert.deepEqual([mine.readSeq, mine.unreadCount], [11, 0]);
  a.frames.length = 0;
  a.send({ type: "read", roomId: id, seq: 5 });
  assert.equal((await ada.as("PUT", `/api/rooms/${id}/read`, { seq: 3 })).json.seq, 11, "forward only");
  await quiet(1_500);
  assert.equal(count(a, (frame) => frame.type === "read"), 0, "nothing moved");
  const stranger = await Socket.open(await person("eve"));
  stranger.send({ type: "read", roomId: id, seq: 2 });
  const refused = await stranger.frame((frame) => frame.type === "error");
  assert.deepEqual([refused.code, refused.roomId], ["not-a-member", id]);
  await Promise.all([a, b, second, stranger].map((socket) => socket.close()));
});
