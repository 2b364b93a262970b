// Services as processes of their own: each may hang, die and return, and all goes on by itself.
import assert from "node:assert/strict";
import net from "node:net";
import { test } from "node:test";
import * as jose from "jose";
import { Socket, assertProblem, at, endpoints, eventually, family, here, http, person, quiet, room, say, uuid, without } from "./lib.mjs";
import { isOut, login, operate, refusal } from "./sessions.mjs";

const offline = (who) => (frame) => frame.type === "presence" && frame.userId === who.id && frame.status === "offline";
const text = (message) => (frame) => frame.type === "message" && frame.message === message;

/** The log as it stands: without gaps, each message once. */
async function log(who, id) {
  const { items } = (await who.as("GET", `/api/rooms/${id}/events`)).json;
  assert.deepEqual(items.map((event) => event.seq), items.map((_, n) => n + 1));
  return items;
}

/** Sends until it is acked, always with the same id. */
const insist = (socket, id, message, messageId) =>
  eventually(async () => {
    const answer = await socket.say(id, message, messageId);
    assert.equal(answer.type, "ack", JSON.stringify(answer));
    return answer;
  });

test("Redis hangs: a session that ends is out everywhere, its sockets too", async () => {
  const ada = await person("ada");
  const phone = await login(ada.username);
  const sockets = await Promise.all(at.ws.map((url) => Socket.open(phone, url)));
  const { sid } = (await phone.as("GET", "/auth/verify")).json;
  await without("redis", async () => {
    assert.equal((await ada.as("DELETE", `/auth/sessions/${sid}`)).status, 204);
    for (const socket of sockets) {
      assert.equal(await socket.closed, 4401);
      assert.equal(socket.frames.at(-1).kind, "session-revoked");
    }
    await isOut(phone);
    assert.equal((await ada.as("GET", "/api/me")).status, 200);
  });
});

test("doors that db-core can't tell who was ended let nobody in after 30 s; open sockets stay", async () => {
  const { ada, a, b } = await here();
  const doors = [at.web, at.api];
  await without("db-core", async () => {
    const started = Date.now();
    // Until then who they know is let in.
    assert.equal((await http("GET", "/auth/verify", { token: ada.token })).status, 200);
    await eventually(async () => {
      assertProblem(await http("GET", "/auth/verify", { token: ada.token }), 503, "unavailable");
      for (const origin of doors) assertProblem(await http("GET", "/api/me", { token: ada.token, origin }), 503, "unavailable");
      for (const url of at.ws) assert.equal(await refusal(ada, url), 503);
    }, 60);
    console.log(`# nobody is let in after ${Date.now() - started} ms`);
    for (const socket of [a, b]) assert.equal((await socket.ask({ type: "ping" })).type, "pong");
  });
  await eventually(async () => {
    for (const origin of doors) assert.equal((await http("GET", "/api/me", { token: ada.token, origin })).status, 200);
  });
  for (const url of at.ws) await eventually(async () => (await Socket.open(ada, url)).close());
  await Promise.all([a.close(), b.close()]);
});

test("db-core hangs: callers are told soon, sockets stay, a message comes once", async () => {
  const { ada, id, a, b } = await here();
  const [first, second] = [uuid(), uuid()];
  await without("db-core", async () => {
    const started = Date.now();
    const answers = await Promise.all([a.say(id, "first", first), a.say(id, "second", second)]);
    for (const answer of answers) {
      assert.deepEqual([answer.type, answer.code, answer.roomId], ["error", "unavailable", id]);
      assert.ok(answer.retryAfterMs > 0 && answer.messageId);
    }
    console.log(`# a send is unavailable after ${Date.now() - started} ms`);
    // From here on nobody waits for a deadline.
    const reads = ["/api/rooms", `/api/rooms/${id}/messages`, "/api/me"];
    for (const route of reads) assertProblem(await ada.as("GET", route), 503, "unavailable");
    const again = Date.now();
    for (let n = 0; n < 20; n++) assertProblem(await ada.as("GET", reads[n % 3]), 503, "unavailable");
    assert.equal((await b.say(id, "third")).code, "unavailable");
    assert.equal((await a.join(id)).code, "unavailable");
    console.log(`# 22 calls were refused in ${Date.now() - again} ms`);
    assert.equal((await a.ask({ type: "ping" })).type, "pong");
  });
  await insist(a, id, "first", first);
  await insist(a, id, "second", second);
  await eventually(async () => assert.equal((await a.join(id)).type, "joined"));
  await eventually(async () => assert.equal((await ada.as("GET", "/api/me")).status, 200));
  await say(ada, id, "end");
  await Promise.all([a, b].map((socket) => socket.frame(text("end"))));
  const told = (await log(ada, id)).map((event) => event.messageId);
  for (const messageId of [first, second]) assert.equal(told.filter((told) => told === messageId).length, 1);
  const heard = b.seqs(id);
  assert.deepEqual(heard, heard.map((_, n) => heard[0] + n), "in order, without gaps");
  await Promise.all([a.close(), b.close()]);
});

test("one of two db-core hangs, then dies: the other answers all, and what was written is read", async () => {
  const { ada, bob, id, a, b } = await here();
  const half = endpoints().pids["db-core-1"];
  const acked = [];
  const insistOnAll = async (from, to) => {
    for (let n = from; n < to; n++) {
      const [socket, who] = n % 2 ? [a, bob] : [b, ada];
      const { messageId, seq } = await insist(socket, id, `m${n}`, uuid());
      acked.push(messageId);
      const newest = await eventually(async () => {
        const answer = await who.as("GET", `/api/rooms/${id}/messages?limit=1`);
        assert.equal(answer.status, 200, answer.text);
        return answer.json.items[0];
      });
      assert.equal(newest.seq, seq, "a read after a send knows it");
    }
  };
  await insistOnAll(0, 10);
  process.kill(half[0], "SIGSTOP");
  try {
    await insistOnAll(10, 20);
    for (let n = 0; n < 20; n++) assert.equal((await ada.as("GET", "/api/rooms")).status, 200, "known to hang: nobody waits");
  } finally {
    process.kill(half[0], "SIGCONT");
  }
  process.kill(half[0], "SIGKILL");
  await insistOnAll(20, 30);
  await eventually(() => assert.notEqual(endpoints().pids["db-core-1"][0], half[0], "it is started again"));
  await Promise.all([a.frame(text("m28")), b.frame(text("m29"))]);
  const stored = (await log(ada, id)).map((event) => event.messageId);
  for (const messageId of acked) assert.equal(stored.filter((each) => each === messageId).length, 1);
  await Promise.all([a.close(), b.close()]);
});

test("db-core dies and is started again: sockets stay, nothing acked is lost", async () => {
  const { ada, id, a, b } = await here();
  const acked = [];
  family("db-core").forEach((pid) => process.kill(pid, "SIGKILL"));
  for (let n = 0; n < 20; n++) acked.push((await insist(a, id, `m${n}`, uuid())).messageId);
  await b.frame(text("m19"));
  const stored = new Set((await log(ada, id)).map((event) => event.messageId));
  for (const messageId of acked) assert.ok(stored.has(messageId));
  await Promise.all([a.close(), b.close()]);
});

test("Redis hangs: sends are acked, the same gateway hears at once, the other by the heads", async () => {
  const { ada, bob, id, a, b } = await here();
  const near = await Socket.open(bob, at.ws[0]);
  await near.join(id);
  await without("redis", async () => {
    for (let n = 0; n < 3; n++) {
      const started = Date.now();
      assert.equal((await a.say(id, `hung ${n}`)).type, "ack");
      await near.frame(text(`hung ${n}`));
      const close = Date.now() - started;
      await b.frame(text(`hung ${n}`));
      console.log(`# heard on the same gateway after ${close} ms, on the other after ${Date.now() - started} ms`);
    }
    const over = await say(ada, id, "over HTTP");
    assert.equal(over.status, 201, over.text);
    await Promise.all([a, b, near].map((socket) => socket.frame(text("over HTTP"))));
    const late = await Socket.open(bob, at.ws.at(-1));
    assert.equal((await late.join(id, { afterSeq: 1 })).events.length, 4);
    await late.close();
    const { items } = (await ada.as("GET", `/api/rooms/${id}/members`)).json;
    assert.equal(items.length, 2, "a list doesn't wait for who is there");
  });
  await eventually(async () => {
    const started = Date.now();
    const message = uuid();
    await a.say(id, message);
    await b.frame(text(message));
    assert.ok(Date.now() - started < 500, "the bus carries again");
  });
  assert.equal([...a.frames, ...b.frames].filter((frame) => frame.type === "presence" && frame.status === "offline").length, 0);
  await log(ada, id);
  await Promise.all([a, b, near].map((socket) => socket.close()));
});

test("Redis is flushed: nothing is lost, and the house is not empty", async () => {
  const { ada, bob, id, a, b } = await here();
  await a.frame((frame) => frame.type === "presence" && frame.userId === bob.id);
  await redis("FLUSHALL");
  await a.say(id, "flushed");
  await b.frame(text("flushed"));
  await eventually(async () => {
    const { items } = (await ada.as("GET", `/api/rooms/${id}/members`)).json;
    assert.deepEqual(items.map((member) => member.presence), ["online", "online"]);
  });
  await quiet(12_000);
  assert.equal([...a.frames, ...b.frames].filter((frame) => frame.status === "offline").length, 0);
  assert.equal((await log(ada, id)).length, 2);
  await Promise.all([a.close(), b.close()]);
});

test("a gateway is killed: its users are offline and silent elsewhere; who comes back was never away", async () => {
  const [ada, bob, eve] = [await person("ada"), await person("bob"), await person("eve")];
  const { id } = await room(ada, { memberIds: [bob.id, eve.id] });
  const [a, b, e] = [await Socket.open(ada, at.ws[0]), await Socket.open(bob, at.ws[1]), await Socket.open(eve, at.ws[1])];
  for (const socket of [a, b, e]) await socket.join(id);
  for (const other of [bob, eve]) await a.frame((frame) => frame.type === "presence" && frame.userId === other.id);
  b.send({ type: "typing", roomId: id, typing: true });
  await a.frame((frame) => frame.type === "typing" && frame.typing);
  const started = Date.now();
  process.kill(endpoints().pids["ws-core-1"][0], "SIGKILL");
  await b.closed;
  const again = await Socket.open(eve, at.ws[0]);
  await again.join(id);
  await a.frame((frame) => frame.type === "typing" && !frame.typing, 8);
  await a.frame(offline(bob), 15);
  console.log(`# offline ${Date.now() - started} ms after the gateway was killed`);
  await quiet(2_000);
  assert.equal(a.frames.filter((frame) => frame.userId === eve.id && frame.status !== "online").length, 0);
  await eventually(async () => {
    const back = await Socket.open(bob, at.ws[1]);
    await back.join(id);
    await back.close();
  });
  await Promise.all([a.close(), again.close()]);
});

test("a gateway that is told to stop sends its sockets away and takes no new ones", async () => {
  const { ada, bob, id, a, b } = await here();
  const [pid] = endpoints().pids["ws-core-1"];
  // One that does not leave.
  const slow = await Socket.open(bob, at.ws[1]);
  slow.ws._socket.pause();
  process.kill(pid, "SIGTERM");
  const draining = await b.frame((frame) => frame.type === "draining");
  assert.ok(draining.reconnectAfterMs > 0);
  assert.equal(await b.closed, 4503);
  assert.equal(await Socket.open(bob, at.ws[1]).catch(({ status }) => status), 503);
  // The edge sends nobody there.
  for (const door of await Promise.all([1, 2].map(() => Socket.open(bob, `${at.web.replace("http", "ws")}/ws`)))) await door.close();
  slow.ws.terminate();
  const back = await eventually(() => Socket.open(bob, at.ws[1]));
  await back.join(id);
  await a.say(id, "after");
  await back.frame(text("after"));
  await log(ada, id);
  await Promise.all([a.close(), back.close()]);
});

/** One command to the stack's own Redis. */
function redis(command) {
  const { hostname, port, password } = new URL(endpoints().redis);
  return new Promise((resolve, reject) => {
    const connection = net.connect(Number(port), hostname, () => {
      const commands = password ? [`AUTH ${decodeURIComponent(password)}`, command, "QUIT"] : [command, "QUIT"];
      connection.write(commands.map((line) => `${line}\r\n`).join(""));
    });
    let answer = "";
    connection.on("data", (data) => (answer += data));
    connection.on("error", reject);
    connection.on("close", () => (answer.includes("-") ? reject(new Error(answer)) : resolve(answer)));
  });
}

// The last one: some time after it, tokens that tests sign with the key of the start are good no more.
test("signing keys change while people are there: the next is published before, the old tokens stay good", async () => {
  const ada = await person("ada");
  const socket = await Socket.open(ada);
  const kid = (token) => jose.decodeProtectedHeader(token).kid;
  const published = async () => (await http("GET", "/.well-known/jwks.json")).json.keys.map((key) => key.kid);
  const before = kid(ada.token);
  const next = operate("rotate-keys", "--after", "6").split(" ")[0];
  await eventually(async () => assert.deepEqual(await published(), [before, next]));
  let newest = await login(ada.username);
  assert.equal(kid(newest.token), before, "it is known before it signs");
  while (kid(newest.token) === before) {
    await quiet(200);
    newest = await login(ada.username);
  }
  assert.equal(kid(newest.token), next);
  const isIn = async (who) => {
    for (const origin of [at.web, at.api]) assert.equal((await http("GET", "/api/me", { token: who.token, origin })).status, 200);
    for (const url of at.ws) assert.equal(await refusal(who, url), undefined);
  };
  await isIn(ada);
  // At so short notice a door may have to look for the key, which it does every ten seconds at most.
  await eventually(() => isIn(newest));
  await isIn(ada);
  assert.equal((await socket.ask({ type: "auth", accessToken: ada.token })).type, "authenticated");
  const { refreshToken } = ada;
  assert.equal(kid((await http("POST", "/auth/refresh", { body: { refreshToken } })).json.accessToken), next);
  assert.deepEqual(await published(), [before, next], "what it signed is still good");
  await socket.close();
});
