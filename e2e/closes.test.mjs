// How sockets end, and what is refused before there is one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Socket, at, here, mint, person, quiet, say, uuid } from "./lib.mjs";

test("a client's close is answered with its own code", async () => {
  const socket = await Socket.open(await person("ada"));
  assert.equal(await socket.close(), 1000);
});

test("a socket ends with its token, unless that is renewed in place", async () => {
  const ada = await person("ada");
  const soon = Math.floor(Date.now() / 1000) + 3;
  const token = await mint(ada, { exp: soon });
  const [kept, left] = [await Socket.open({ token }), await Socket.open({ token })];
  assert.equal(kept.frames[0].expiresAt, new Date(soon * 1000).toISOString());
  const renewed = await kept.ask({ type: "auth", accessToken: ada.token });
  assert.equal(renewed.type, "authenticated");
  assert.ok(Date.parse(renewed.expiresAt) > (soon + 60) * 1000);
  assert.equal(await left.closed, 4401);
  const late = Date.now() - soon * 1000;
  assert.ok(late >= 0 && late < 5_000, `closed ${late} ms after the end of its token`);
  assert.equal((await kept.ask({ type: "ping" })).type, "pong");
  const expired = await mint(ada, { exp: soon - 60, iat: soon - 700 });
  assert.equal((await kept.ask({ type: "auth", accessToken: expired })).code, "token-expired");
  const refused = new Socket(at.ws[0], ["chat.v1", `bearer.${expired}`]);
  assert.equal(await refused.opened.catch((error) => error.status), 401);
  assert.equal(await kept.close(), 1000);
});

test("the right to read can be lost in place", async () => {
  const { ada, id, a, b } = await here();
  const blind = await mint(ada, { scopes: [] });
  assert.equal((await a.ask({ type: "auth", accessToken: blind })).type, "authenticated");
  assert.deepEqual(await a.frame((frame) => frame.type === "left"), { type: "left", roomId: id });
  await b.say(id, "not for everybody");
  assert.equal((await a.join(id)).code, "forbidden");
  assert.equal((await a.say(id, "x")).code, "forbidden");
  assert.equal(a.frames.filter((frame) => frame.type === "message").length, 0);
  await Promise.all([a.close(), b.close()]);
});

test("a fifty-first socket of a user on a gateway is refused, and has its place once another ends", async () => {
  const ada = await person("ada");
  const sockets = await Promise.all(Array.from({ length: 50 }, () => Socket.open(ada)));
  const open = () => Socket.open(ada).catch((error) => error.status);
  assert.equal(await open(), 429);
  await sockets.pop().close();
  let next;
  do next = await open();
  while (next === 429);
  await Promise.all([next, ...sockets].map((socket) => socket.close()));
});

test("who takes nothing while 4 MiB wait is closed 4408, and nobody else waits", async () => {
  const { ada, id, a, b } = await here();
  b.ws._socket.pause();
  const text = "🦀".repeat(4_000);
  const acks = [];
  for (let n = 0; n < 700; n++) {
    acks.push(a.say(id, text));
    if (n % 50 === 49) await quiet(300); // below the rate of sends
  }
  assert.ok((await Promise.all(acks)).every((ack) => ack.type === "ack"));
  const after = await person("eve");
  assert.equal((await ada.as("POST", `/api/rooms/${id}/members`, { userId: after.id })).status, 201);
  const e = await Socket.open(after, at.ws.at(-1));
  await e.join(id);
  await a.say(id, "goes on");
  await e.frame((frame) => frame.message === "goes on", 5);
  b.ws._socket.resume();
  assert.equal(await b.closed, 4408);
  await Promise.all([a.close(), e.close()]);
});

test("leaving, rooms that are not there, and sends above their rate are answered as they should be", async () => {
  const { ada, id, a, b } = await here();
  const left = await a.ask({ type: "leave", roomId: uuid() });
  assert.deepEqual([left.type, Object.keys(left)], ["left", ["type", "ref", "roomId"]]);
  const both = await a.ask({ type: "join", rooms: [{ roomId: uuid() }] });
  assert.deepEqual(
    [both.type, both.code, typeof both.roomId, typeof both.detail],
    ["error", "not-found", "string", "string"],
  );
  await a.ask({ type: "leave", roomId: id });
  await say(ada, id, "while out");
  await b.frame((frame) => frame.message === "while out");
  const again = await a.join(id, { afterSeq: 1 });
  assert.deepEqual(again.events.map((event) => event.message), ["while out"]);
  const rate = a.frames[0].limits;
  const sends = await Promise.all(Array.from({ length: rate.sendBurst + rate.sendsPerSecond * 2 }, (_, n) => a.say(id, `${n}`)));
  const refused = sends.filter((answer) => answer.type === "error");
  assert.ok(refused.length > 0);
  for (const error of refused) {
    assert.deepEqual([error.code, error.roomId], ["rate-limited", id]);
    assert.ok(error.retryAfterMs > 0 && error.messageId);
  }
  await Promise.all([a.close(), b.close()]);
});
