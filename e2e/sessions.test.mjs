// Sessions that end: by their owner, by a new password, by an admin, by an operator. Every door hears of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { PASSWORD, Socket, assertProblem, at, http, person } from "./lib.mjs";
import { isOut, login, operate } from "./sessions.mjs";

const sid = async (who) => (await who.as("GET", "/auth/verify")).json.sid;

const admin = (...words) => operate("admin", ...words);

async function administrator() {
  const { username } = await person("root");
  admin(username);
  return login(username);
}

const isIn = async (who) => {
  for (const origin of [at.web, at.api]) assert.equal((await http("GET", "/api/me", { token: who.token, origin })).status, 200);
};

test("my sessions are listed, and one that I end is out everywhere, its sockets too", async () => {
  const ada = await person("ada");
  const phone = await login(ada.username, { device: "Phone" });
  const { items } = (await ada.as("GET", "/auth/sessions")).json;
  assert.deepEqual(items.map(({ current, device }) => ({ current, device })).sort((a) => (a.current ? -1 : 1)), [
    { current: true, device: undefined },
    { current: false, device: "Phone" },
  ]);
  for (const { createdAt, lastSeenAt } of items) assert.ok(new Date(createdAt) <= new Date(lastSeenAt));
  const sockets = await Promise.all(at.ws.map((url) => Socket.open(phone, url)));
  const own = await Socket.open(ada);
  const ended = await ada.as("DELETE", `/auth/sessions/${await sid(phone)}`);
  assert.equal(ended.status, 204);
  assert.ok(ended.headers.get("chat-seen"));
  for (const socket of sockets) {
    assert.equal(await socket.closed, 4401);
    assert.deepEqual(socket.frames.at(-1), { type: "notice", kind: "session-revoked", sessionId: items.find(({ device }) => device).sid });
  }
  await isOut(phone);
  await isIn(ada);
  assert.equal((await own.ask({ type: "ping" })).type, "pong");
  assert.equal((await ada.as("GET", "/auth/sessions")).json.items.length, 1);
  // Again is no error; another's is not there; mine may be the one that asks.
  assert.equal((await ada.as("DELETE", `/auth/sessions/${items.find(({ device }) => device).sid}`)).status, 204);
  const eve = await person("eve");
  assertProblem(await eve.as("DELETE", `/auth/sessions/${await sid(ada)}`), 404, "not-found");
  assert.equal((await ada.as("DELETE", `/auth/sessions/${await sid(ada)}`)).status, 204);
  assert.equal(await own.closed, 4401);
  await isOut(ada);
});

test("signing out ends the access token too", async () => {
  const ada = await person("ada");
  assert.equal((await ada.as("POST", "/auth/logout")).status, 204);
  await isOut(ada);
});

test("a new password: the other sessions are out, this one goes on, the old password is none", async () => {
  const ada = await person("ada");
  const phone = await login(ada.username);
  const change = (currentPassword, newPassword, who = ada) => who.as("POST", "/auth/password", { currentPassword, newPassword });
  assertProblem(await change("not the password", "staple and more"), 401, "invalid-credentials");
  assert.equal(assertProblem(await change(PASSWORD, "1234567890"), 400, "invalid-request").errors[0].pointer, "/newPassword");
  assert.equal((await change(PASSWORD, "staple and more")).status, 204);
  await isOut(phone);
  await isIn(ada);
  assertProblem(await http("POST", "/auth/login", { body: { username: ada.username, password: PASSWORD } }), 401, "invalid-credentials");
  await login(ada.username, { password: "staple and more" });
  // Guesses count as failed logins do.
  for (let n = 0; n < 9; n++) await change("not the password", "staple and more");
  assertProblem(await change("staple and more", "staple and still more"), 429, "rate-limited");
});

test("admins see accounts, disable them and make admins; what they change is out", async () => {
  const [root, ada] = [await administrator(), await person("ada")];
  assert.equal((await root.as("GET", "/auth/verify")).json.role, "admin");
  const { items } = (await root.as("GET", `/api/admin/users?query=${ada.username}`)).json;
  const { createdAt, lastSeenAt, ...account } = items[0];
  assert.deepEqual([items.length, account], [1, { id: ada.id, username: ada.username, displayName: ada.displayName, role: "user", disabled: false }]);
  assert.ok(new Date(createdAt) <= new Date(lastSeenAt));
  const update = (body, who = root, id = ada.id) => who.as("PATCH", `/api/admin/users/${id}`, body);
  for (const answer of [await ada.as("GET", "/api/admin/users"), await update({ disabled: true }, ada)]) assertProblem(answer, 403, "forbidden");
  const disabled = await update({ disabled: true });
  assert.deepEqual([disabled.status, disabled.json.disabled], [200, true]);
  await isOut(ada);
  assertProblem(await http("POST", "/auth/login", { body: { username: ada.username, password: PASSWORD } }), 403, "forbidden");
  assertProblem(await http("POST", "/auth/login", { body: { username: ada.username, password: "not the password" } }), 401, "invalid-credentials");
  assert.equal((await update({ disabled: false, role: "admin" })).json.role, "admin");
  const again = await login(ada.username);
  assert.equal((await again.as("GET", "/api/admin/users")).status, 200);
  assert.equal((await update({ role: "user" }, again, again.id)).status, 200);
  await isOut(again);
  assertProblem(await update({}, root, root.id.replace(/^./, (digit) => (digit === "0" ? "1" : "0"))), 404, "not-found");
  assertProblem(await update({ role: "owner" }), 400, "invalid-request");
});

test("an operator gives a new password to who forgot it, and ends the sessions", async () => {
  const ada = await person("ada");
  const socket = await Socket.open(ada);
  const password = admin(ada.username, "--reset-password");
  // Nobody announced it: the list of ended sessions tells the gateways.
  assert.equal(await socket.closed, 4401);
  assert.equal(socket.frames.at(-1).kind, "session-revoked");
  await isOut(ada);
  await login(ada.username, { password });
  assert.throws(() => admin("nobody-of-that-name"), /there is no account named/);
});
