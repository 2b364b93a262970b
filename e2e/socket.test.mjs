// Section 5 of the contract, over two gateways, by a client that is not ours.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Socket, at, http, person, room, say, uuid } from "./lib.mjs";

const rising = (seqs, from) => assert.deepEqual(seqs, seqs.map((_, n) => from + n));

test("welcome, join, ack, message, ping across two gateways", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const here = await room(ada, { memberIds: [bob.id] });
  const [a, b] = [await Socket.open(ada, at.ws[0]), await Socket.open(bob, at.ws.at(-1))];
  const welcome = a.frames[0];
  assert.equal(welcome.type, "welcome");
  assert.equal(welcome.userId, ada.id);
  assert.equal(welcome.limits.frameBytes, 65536);
  assert.deepEqual(await a.join(here.id).then(({ ref, ...rest }) => rest), {
    type: "joined", roomId: here.id, headSeq: 1, logId: here.logId, events: [], truncated: false,
  });
  await b.join(here.id);
  const ack = await a.say(here.id, "hello");
  assert.deepEqual([ack.type, ack.seq], ["ack", 2]);
  const heard = await b.frame((frame) => frame.type === "message");
  assert.deepEqual([heard.message, heard.seq, heard.messageId, heard.wsId], ["hello", 2, ack.messageId, welcome.wsId]);
  assert.equal(Object.keys(heard)[0], "type");
  assert.ok(!("v" in heard));
  const over = await say(bob, here.id, "over HTTP");
  assert.equal((await a.frame((frame) => frame.seq === over.json.seq)).wsId, null);
  const pong = await a.ask({ type: "ping" });
  assert.equal(pong.type, "pong");
  assert.ok(Math.abs(Date.parse(pong.serverTime) - Date.now()) < 60_000);
  assert.equal((await a.ask({ type: "leave", roomId: here.id })).type, "left");
  await say(bob, here.id, "not heard by ada");
  await b.frame((frame) => frame.seq === 4);
  assert.deepEqual(a.seqs(here.id), [3], "its own came as an ack, nothing after leaving");
  await Promise.all([a.close(), b.close()]);
});

test("the one origin passes sockets through, with the token as a subprotocol", async () => {
  const ada = await person("ada");
  const socket = new Socket(`${at.web.replace("http", "ws")}/ws`, ["chat.v1", `bearer.${ada.token}`], { origin: at.web });
  await socket.opened;
  assert.equal(socket.ws.protocol, "chat.v1");
  assert.equal((await socket.frame((frame) => frame.type === "welcome")).userId, ada.id);
  assert.equal(await socket.close(), 1000);
});

test("two rooms' worth of senders on two gateways: everyone hears every seq once, in order", async () => {
  const people = [await person("a"), await person("b"), await person("c"), await person("d")];
  const here = await room(people[0], { memberIds: people.slice(1).map((p) => p.id) });
  const sockets = await Promise.all(people.map((p, n) => Socket.open(p, at.ws[n % at.ws.length])));
  await Promise.all(sockets.map((socket) => socket.join(here.id)));
  const each = 50;
  const acks = await Promise.all(sockets.map((socket, who) =>
    Promise.all(Array.from({ length: each }, (_, n) => socket.say(here.id, `${who}:${n}`)))));
  const head = 1 + each * people.length;
  await Promise.all(sockets.map((socket, who) => {
    const own = new Set(acks[who].map((ack) => ack.seq));
    let last = head;
    while (own.has(last)) last -= 1;
    return socket.frame((frame) => frame.type === "message" && frame.seq === last);
  }));
  sockets.forEach((socket, who) => {
    const own = acks[who].map((ack) => ack.seq);
    assert.deepEqual(own, [...own].sort((x, y) => x - y), "one socket's sends are committed in the order written");
    const heard = socket.seqs(here.id);
    assert.deepEqual(heard, [...heard].sort((x, y) => x - y), "frames are in order");
    rising([...own, ...heard].sort((x, y) => x - y), 2);
  });
  await Promise.all(sockets.map((socket) => socket.close()));
});

test("a repeat is acked with the first seq and not heard twice", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const here = await room(ada, { memberIds: [bob.id] });
  const [a, b] = [await Socket.open(ada), await Socket.open(bob)];
  await Promise.all([a.join(here.id), b.join(here.id)]);
  const messageId = uuid();
  const first = await a.say(here.id, "once", messageId);
  const again = await a.say(here.id, "twice?", messageId);
  assert.equal(again.seq, first.seq);
  const stolen = await b.say(here.id, "mine", messageId);
  assert.deepEqual([stolen.type, stolen.code, stolen.messageId], ["error", "conflict", messageId]);
  await a.say(here.id, "end");
  await b.frame((frame) => frame.message === "end");
  assert.deepEqual(b.seqs(here.id), [2, 3]);
  await Promise.all([a.close(), b.close()]);
});

test("joining where one left off, from another log, and from beyond the head", async () => {
  const ada = await person("ada");
  const here = await room(ada);
  for (let n = 0; n < 5; n++) await say(ada, here.id, `m${n}`);
  const a = await Socket.open(ada);
  const joined = await a.join(here.id, { afterSeq: 2, logId: here.logId });
  assert.deepEqual([joined.headSeq, joined.truncated, joined.events.map((e) => e.seq)], [6, false, [3, 4, 5, 6]]);
  assert.equal(joined.events[0].type, "message");
  assert.ok(!("wsId" in joined.events[0]));
  for (const bad of [{ afterSeq: 99 }, { afterSeq: 2, logId: uuid() }]) {
    const answer = await a.join(here.id, bad);
    assert.deepEqual([answer.truncated, answer.events], [true, []]);
  }
  await a.close();
});

test("strangers may not join or send; who is removed hears that as the last of the room", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const [open, closed] = [await room(ada), await room(ada, { visibility: "private", memberIds: [bob.id] })];
  const b = await Socket.open(bob);
  assert.equal((await b.join(open.id)).code, "not-a-member");
  assert.equal((await b.say(open.id, "x")).code, "not-a-member");
  assert.equal((await b.join(uuid())).code, "not-found");
  await b.join(closed.id);
  await ada.as("DELETE", `/api/rooms/${closed.id}/members/${bob.id}`);
  const last = await b.frame((frame) => frame.type === "member" && frame.change === "removed");
  assert.equal(last.userId, bob.id);
  await b.frame((frame) => frame.type === "notice" && frame.kind === "room-removed");
  await say(ada, closed.id, "secret");
  assert.equal((await b.say(closed.id, "x")).code, "not-found");
  assert.equal(b.seqs(closed.id).at(-1), last.seq);
  await b.close();
});

test("refused before the upgrade: 400, 401, 403, 404", async () => {
  const ada = await person("ada");
  const authorization = `Bearer ${ada.token}`;
  const refused = async (protocols, options) => {
    for (const url of [at.ws[0], `${at.web.replace("http", "ws")}/ws`]) {
      const status = await new Socket(url, protocols, options).opened.then(() => 101, (error) => error.status);
      assert.equal(status, options.expected, url);
    }
  };
  await refused([], { headers: { authorization }, expected: 400 });
  await refused(["chat.v1"], { expected: 401 });
  await refused(["chat.v1", "bearer.nonsense"], { expected: 401 });
  await refused(["chat.v1"], { headers: { authorization }, origin: "https://evil.example", expected: 403 });
  assert.equal((await http("GET", "/ws")).status, 400);
});

test("a token is renewed in place; another's closes 4403; a revoked session closes 4401", async () => {
  const [ada, eve] = [await person("ada"), await person("eve")];
  const a = await Socket.open(ada);
  const renewed = await a.ask({ type: "auth", accessToken: ada.token });
  assert.equal(renewed.type, "authenticated");
  assert.equal((await a.ask({ type: "auth", accessToken: "nonsense" })).code, "unauthenticated");
  a.send({ type: "auth", accessToken: eve.token });
  assert.equal(await a.closed, 4403);
  const e = await Socket.open(eve, at.ws.at(-1));
  await http("POST", "/auth/logout", { body: { refreshToken: eve.refreshToken } });
  assert.equal(await e.closed, 4401);
  assert.equal(e.frames.at(-1).kind, "session-revoked");
});
