// Sections 1 to 4 of the contract over HTTP.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as jose from "jose";
import { PASSWORD, assertProblem, at, http, person, room, say, uuid } from "./lib.mjs";

test("register, login, verify: tokens that others can check", async () => {
  const ada = await person("ada");
  const again = await http("POST", "/auth/register", { body: { username: ada.username.toUpperCase(), password: PASSWORD } });
  assertProblem(again, 409, "conflict");
  const login = await http("POST", "/auth/login", { body: { username: ada.username, password: PASSWORD, tokenDelivery: "body" } });
  assert.equal(login.status, 200);
  assert.ok(login.headers.get("chat-seen"), "as after every write");
  assert.equal(login.json.tokenType, "Bearer");
  assert.equal(login.json.expiresIn, 600);
  const keys = jose.createRemoteJWKSet(new URL(`${at.web}/.well-known/jwks.json`));
  const { payload, protectedHeader } = await jose.jwtVerify(login.json.accessToken, keys, { audience: "chat", typ: "at+jwt" });
  assert.equal(protectedHeader.alg, "EdDSA");
  assert.equal(payload.sub, ada.id);
  assert.deepEqual(payload.scopes, ["chat:read", "chat:write"]);
  const verified = await http("GET", "/auth/verify", { token: login.json.accessToken });
  assert.equal(verified.json.sid, payload.sid);
  assert.equal(verified.headers.get("cache-control"), "no-store");
  assertProblem(await http("POST", "/auth/login", { body: { username: ada.username, password: "not the password" } }), 401, "invalid-credentials");
  assertProblem(await http("POST", "/auth/login", { body: { username: "nobody-at-all", password: PASSWORD } }), 401, "invalid-credentials");
  assertProblem(await http("POST", "/auth/register", { body: { username: "x", password: PASSWORD } }), 400, "invalid-request");
  const common = await http("POST", "/auth/register", { body: { username: `c${Date.now()}`, password: "1234567890" } });
  assert.equal(assertProblem(common, 400, "invalid-request").errors[0].pointer, "/password");
});

test("a minted token is taken; expired and foreign ones are told apart", async () => {
  const ada = await person("ada");
  const { sub, sid, exp, ...rest } = jose.decodeJwt(ada.token);
  const key = await jose.importJWK(at.signingKey, "EdDSA");
  const mint = (claims, header = {}) =>
    new jose.SignJWT({ ...rest, sub, sid, ...claims }).setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: at.signingKey.kid, ...header }).sign(key);
  const now = Math.floor(Date.now() / 1000);
  assert.equal((await http("GET", "/api/me", { token: await mint({ exp: now + 60 }) })).status, 200);
  assertProblem(await http("GET", "/api/me", { token: await mint({ iat: now - 700, exp: now - 60 }) }), 401, "token-expired");
  assertProblem(await http("GET", "/api/me", { token: await mint({ exp: now + 60, aud: "other" }) }), 401, "unauthenticated");
  assertProblem(await http("GET", "/api/me", { token: await mint({ exp: now + 60 }, { typ: "JWT" }) }), 401, "unauthenticated");
  assertProblem(await http("GET", "/api/me", {}), 401, "unauthenticated");
  const reader = await mint({ exp: now + 60, scopes: ["chat:read"] });
  assert.equal((await http("GET", "/api/me", { token: reader })).status, 200);
  assertProblem(await http("PATCH", "/api/me", { token: reader, body: { displayName: "x" } }), 403, "forbidden");
  // The door behind looks again by itself.
  assertProblem(await http("GET", "/api/me", { origin: at.api }), 401, "unauthenticated");
});

test("refresh by cookie: rotation, the page's origin only, two tabs, reuse", async () => {
  const username = `cookie-${Date.now() % 1e8}`;
  const registered = await http("POST", "/auth/register", { body: { username, password: PASSWORD } });
  assert.equal(registered.json.refreshToken, undefined);
  assert.ok(registered.headers.get("chat-seen"));
  const first = registered.headers.get("set-cookie");
  assert.match(first, /HttpOnly/);
  assert.match(first, /SameSite=Strict/);
  assert.match(first, /Path=\/auth/);
  assert.doesNotMatch(first, /Secure/, "plain-http loopback");
  const pair = (cookie) => cookie.split(";")[0];
  const refresh = (cookie, headers = {}) => http("POST", "/auth/refresh", { headers: { cookie: pair(cookie), origin: at.web, ...headers } });
  assertProblem(await http("POST", "/auth/refresh", { headers: { cookie: pair(first) } }), 403, "forbidden");
  assertProblem(await refresh(first, { origin: "https://evil.example" }), 403, "forbidden");
  const second = await refresh(first);
  assert.equal(second.status, 200, second.text);
  assert.notEqual(pair(second.headers.get("set-cookie")), pair(first));
  const tab = await refresh(first);
  assert.equal(pair(tab.headers.get("set-cookie")), pair(second.headers.get("set-cookie")), "two tabs get one successor");
  const third = await refresh(second.headers.get("set-cookie"));
  assert.equal(third.status, 200);
  assertProblem(await refresh(first), 401, "unauthenticated");
  assertProblem(await refresh(third.headers.get("set-cookie")), 401, "unauthenticated");
});

test("refresh by body: a lost answer is made good by its key, a thief ends the session", async () => {
  const ada = await person("ada");
  const refresh = (refreshToken, key) => http("POST", "/auth/refresh", { body: { refreshToken }, headers: key ? { "idempotency-key": key } : {} });
  const lost = await refresh(ada.refreshToken, "key-1");
  const again = await refresh(ada.refreshToken, "key-1");
  assert.equal(again.json.refreshToken, lost.json.refreshToken);
  assertProblem(await refresh(ada.refreshToken, "key-of-a-thief"), 401, "unauthenticated");
  assertProblem(await refresh(lost.json.refreshToken), 401, "unauthenticated");
  assertProblem(await refresh("forged"), 401, "unauthenticated");
});

test("a name whose logins fail too often has to wait, with the right password too", async () => {
  const ada = await person("ada");
  const login = (password) => http("POST", "/auth/login", { body: { username: ada.username, password } });
  for (let n = 0; n < 10; n++) assertProblem(await login("not the password"), 401, "invalid-credentials");
  assertProblem(await login(PASSWORD), 429, "rate-limited");
});

test("logout ends the session, again too", async () => {
  const ada = await person("ada");
  const out = await http("POST", "/auth/logout", { token: ada.token });
  assert.equal(out.status, 204);
  assert.ok(out.headers.get("chat-seen"));
  assert.equal((await http("POST", "/auth/logout", { token: ada.token })).status, 204);
  assert.equal((await http("POST", "/auth/logout", {})).status, 204);
  assertProblem(await http("POST", "/auth/refresh", { body: { refreshToken: ada.refreshToken } }), 401, "unauthenticated");
});

test("profiles, and finding people by the start of a name", async () => {
  const ada = await person("findme");
  const me = await ada.as("PATCH", "/api/me", { displayName: "Ada Lovelace" });
  assert.deepEqual(me.json, { id: ada.id, username: ada.username, displayName: "Ada Lovelace" });
  assert.deepEqual((await ada.as("GET", "/api/me")).json, me.json);
  assert.deepEqual((await ada.as("GET", `/api/users/${ada.id}`)).json, me.json);
  const found = await ada.as("GET", `/api/users?query=${ada.username.slice(0, -1)}`);
  assert.ok(found.json.items.some((user) => user.id === ada.id));
  assertProblem(await ada.as("GET", "/api/users?query=a"), 400, "invalid-request");
  assertProblem(await ada.as("GET", `/api/users/${uuid()}`), 404, "not-found");
  assertProblem(await ada.as("GET", `/api/users/${ada.id.toUpperCase()}`), 404, "not-found");
  const page = await ada.as("GET", "/api/users?query=findme&limit=1");
  assert.equal(page.json.items.length, 1);
  assertProblem(await ada.as("GET", "/api/users?query=findme&cursor=nonsense"), 400, "invalid-request");
});

test("rooms: create, list, preview, join, leave, members", async () => {
  const [ada, bob, eve] = [await person("ada"), await person("bob"), await person("eve")];
  const open = await room(ada, { memberIds: [bob.id] });
  assert.equal(open.myRole, "owner");
  assert.equal(open.headSeq, 1);
  assert.equal(open.memberCount, 2);
  assert.equal((await ada.as("GET", "/api/rooms")).json.items[0].id, open.id);
  const preview = await eve.as("GET", `/api/rooms/${open.id}`);
  assert.equal(preview.json.myRole, null);
  assert.equal(preview.json.lastMessage, null);
  assertProblem(await eve.as("GET", `/api/rooms/${open.id}/messages`), 403, "not-a-member");
  assert.ok((await eve.as("GET", `/api/rooms/public?query=${encodeURIComponent(open.name)}`)).json.items.some((r) => r.id === open.id));
  assert.equal((await eve.as("POST", `/api/rooms/${open.id}/join`)).json.myRole, "member");
  assert.equal((await eve.as("POST", `/api/rooms/${open.id}/join`)).json.headSeq, 2, "again takes no seq");
  const members = (await ada.as("GET", `/api/rooms/${open.id}/members`)).json.items;
  assert.deepEqual(new Set(members.map((m) => m.userId)), new Set([ada.id, bob.id, eve.id]));
  assertProblem(await ada.as("POST", `/api/rooms/${open.id}/leave`), 409, "conflict");
  assertProblem(await bob.as("DELETE", `/api/rooms/${open.id}/members/${eve.id}`), 403, "forbidden");
  assert.equal((await ada.as("DELETE", `/api/rooms/${open.id}/members/${eve.id}`)).status, 204);
  assertProblem(await eve.as("GET", `/api/rooms/${open.id}/messages`), 403, "not-a-member");
  assert.equal((await bob.as("POST", `/api/rooms/${open.id}/leave`)).status, 204);
  const closed = await room(ada, { visibility: "private" });
  for (const route of ["", "/messages", "/members", "/events"]) assertProblem(await eve.as("GET", `/api/rooms/${closed.id}${route}`), 404, "not-found");
  assertProblem(await eve.as("POST", `/api/rooms/${closed.id}/join`), 404, "not-found");
  const added = await ada.as("POST", `/api/rooms/${closed.id}/members`, { userId: eve.id });
  assert.equal(added.status, 201);
  assert.equal((await ada.as("POST", `/api/rooms/${closed.id}/members`, { userId: eve.id })).status, 200);
  assertProblem(await eve.as("POST", `/api/rooms/${closed.id}/members`, { userId: bob.id }), 403, "forbidden");
  assert.equal((await eve.as("GET", `/api/rooms/${closed.id}`)).json.memberCount, 2);
});

test("messages: sent once, read back in order, counted", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const here = await room(ada, { memberIds: [bob.id] });
  const messageId = uuid();
  const sent = await say(ada, here.id, "hello 🦀", messageId);
  assert.equal(sent.status, 201);
  assert.ok(sent.headers.get("chat-seen").length <= 200);
  assert.equal(sent.json.seq, 2);
  assert.equal(sent.json.senderName, ada.displayName);
  assert.match(sent.json.sentAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  const again = await say(ada, here.id, "another text", messageId);
  assert.equal(again.status, 200);
  assert.deepEqual([again.json.seq, again.json.message], [2, "hello 🦀"]);
  assertProblem(await say(bob, here.id, "mine", messageId), 409, "conflict");
  for (let n = 0; n < 6; n++) assert.equal((await say(ada, here.id, `m${n}`)).status, 201);
  const history = `/api/rooms/${here.id}/messages`;
  const newest = (await bob.as("GET", `${history}?limit=3`)).json;
  assert.deepEqual([newest.items.map((m) => m.message), newest.hasMore], [["m3", "m4", "m5"], true]);
  const before = (await bob.as("GET", `${history}?limit=3&before=${newest.items[0].seq}`)).json;
  assert.deepEqual(before.items.map((m) => m.message), ["m0", "m1", "m2"]);
  const after = (await bob.as("GET", `${history}?after=2&limit=200`)).json;
  assert.deepEqual([after.items.length, after.hasMore], [6, false]);
  assertProblem(await bob.as("GET", `${history}?before=3&after=1`), 400, "invalid-request");
  assertProblem(await bob.as("GET", `${history}?limit=201`), 400, "invalid-request");
  assertProblem(await bob.as("GET", `${history}?limit=0`), 400, "invalid-request");
  assert.equal((await bob.as("GET", `${history}/${messageId}`)).json.message, "hello 🦀");
  assertProblem(await bob.as("GET", `${history}/${uuid()}`), 404, "not-found");
  const log = (await bob.as("GET", `/api/rooms/${here.id}/events`)).json;
  assert.deepEqual(log.items.map((event) => event.seq), [1, 2, 3, 4, 5, 6, 7, 8]);
  assert.equal(log.items[0].type, "room");
  assert.deepEqual([log.headSeq, log.hasMore, log.logId], [8, false, here.logId]);
  const seen = (await bob.as("GET", "/api/rooms")).json.items.find((r) => r.id === here.id);
  assert.deepEqual([seen.unreadCount, seen.lastMessage.message], [7, "m5"]);
  const replied = await ada.as("POST", history, { messageId: uuid(), message: "see", replyTo: messageId, mentions: [bob.id, bob.id] });
  assert.deepEqual([replied.json.replyTo, replied.json.mentions], [messageId, [bob.id]]);
  assertProblem(await ada.as("POST", history, { messageId: uuid(), message: "x", replyTo: uuid() }), 400, "invalid-request");
  assertProblem(await ada.as("POST", history, { messageId: uuid(), message: "x", mentions: [uuid()] }), 400, "invalid-request");
});

test("the API describes itself", async () => {
  const description = await http("GET", "/api/openapi.json");
  assert.equal(description.json.openapi, "3.1.0");
  assert.ok(description.json.paths["/api/rooms/{roomId}/messages"].post);
  assert.equal((await http("GET", "/api/health")).json.status, "ok");
});

test("sends that race a removal: none stands after it, no gap", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  for (let round = 0; round < 5; round++) {
    const here = await room(ada, { memberIds: [bob.id] });
    const sends = Array.from({ length: 20 }, (_, n) => say(bob, here.id, `m${n}`));
    const removal = ada.as("DELETE", `/api/rooms/${here.id}/members/${bob.id}`);
    const answers = await Promise.all(sends);
    assert.equal((await removal).status, 204);
    const { items } = (await ada.as("GET", `/api/rooms/${here.id}/events`)).json;
    assert.deepEqual(items.map((event) => event.seq), items.map((_, n) => n + 1));
    const removed = items.findIndex((event) => event.change === "removed");
    assert.equal(removed, items.length - 1, "nothing stands after the removal");
    const acked = answers.filter((answer) => answer.status === 201).length;
    assert.equal(items.filter((event) => event.type === "message").length, acked);
    for (const answer of answers.filter((answer) => answer.status !== 201)) assertProblem(answer, 403, "not-a-member");
  }
});
