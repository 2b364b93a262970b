// The database goes away and comes back: a clear answer meanwhile, and everything goes on by itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PASSWORD, Socket, assertProblem, family, http, person, room, say, uuid } from "./lib.mjs";

test("Postgres gone for five seconds: 503 with Retry-After, then all goes on", async () => {
  const ada = await person("ada");
  const here = await room(ada);
  const socket = await Socket.open(ada);
  await socket.join(here.id);
  assert.equal((await socket.say(here.id, "before")).seq, 2);
  const stopped = family("postgres");
  stopped.forEach((pid) => process.kill(pid, "SIGSTOP"));
  const messageId = uuid();
  try {
    const five = new Promise((resolve) => setTimeout(resolve, 5_000));
    const [over, frame] = await Promise.all([say(ada, here.id, "meanwhile"), socket.say(here.id, "kept", messageId)]);
    assertProblem(over, 503, "unavailable");
    assert.equal(frame.code, "unavailable");
    assert.ok(frame.retryAfterMs > 0);
    const rooms = `/api/rooms/${here.id}`;
    const reads = ["/api/rooms", "/api/rooms/public", "/api/users?query=ada", rooms, `${rooms}/messages`, `${rooms}/members`, `${rooms}/events`];
    const credentials = { username: `late-${Date.now() % 1e8}`, password: PASSWORD };
    const asked = [
      ...reads.map((route) => ada.as("GET", route)),
      ada.as("POST", `${rooms}/join`),
      http("POST", "/auth/register", { body: credentials }),
      http("POST", "/auth/login", { body: credentials }),
      http("POST", "/auth/refresh", { body: { refreshToken: ada.refreshToken } }),
    ];
    for (const answer of await Promise.all(asked)) assertProblem(answer, 503, "unavailable");
    assert.equal((await http("GET", "/api/health")).json.status, "unavailable");
    await five;
  } finally {
    stopped.forEach((pid) => process.kill(pid, "SIGCONT"));
  }
  let ack;
  do {
    ack = await socket.say(here.id, "kept", messageId);
    if (ack.type !== "ack") await new Promise((resolve) => setTimeout(resolve, 200));
  } while (ack.type !== "ack");
  const { items } = (await ada.as("GET", `/api/rooms/${here.id}/events`)).json;
  assert.equal(items.filter((event) => event.messageId === messageId).length, 1, "one message, however often it was sent");
  assert.deepEqual(items.map((event) => event.seq), items.map((_, n) => n + 1));
  await socket.close();
});
