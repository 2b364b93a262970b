// Every route of the API's own description, against each way to get it wrong. A route that is added comes in by itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as jose from "jose";
import { PASSWORD, assertProblem, at, http, person, room, say, uuid } from "./lib.mjs";

const { paths } = (await http("GET", "/api/openapi.json")).json;
const OPEN = new Set(["/api/health", "/api/openapi.json", "/api/asyncapi.json"]);
const all = Object.entries(paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
);
const routes = all.filter(({ path }) => path.startsWith("/api/"));
const named = routes.filter(({ path }) => !OPEN.has(path));
// What only admins may do is refused to others before it is looked at.
const usual = named.filter(({ path }) => !path.startsWith("/api/admin/"));
// Who asks here need not be anybody yet: these have tests of their own.
const auth = all.filter(({ path }) => !path.startsWith("/api/"));
const entering = auth.filter(({ operation }) => operation.requestBody && operation.security);
const withBody = named.filter(({ operation }) => operation.requestBody);
const fill = (path, ids) => path.replace(/\{(\w+)\}/g, (_, name) => ids[name] ?? (name === "emoji" ? "%F0%9F%91%8D" : uuid()));
const title = ({ method, path }) => `${method} ${path}`;

/** A token of the same session that may only read. */
async function reader(who) {
  const claims = { ...jose.decodeJwt(who.token), scopes: ["chat:read"] };
  const key = await jose.importJWK(at.signingKey, "EdDSA");
  return new jose.SignJWT(claims).setProtectedHeader({ alg: "EdDSA", typ: "at+jwt", kid: at.signingKey.kid }).sign(key);
}

/** Of `/auth`, what only somebody who is signed in may do. */
const owned = auth.filter(({ operation }) => !operation.security);

test("the description names the routes that there are", () => {
  assert.ok(named.length >= 16, String(named.length));
  assert.deepEqual(auth.map(title).sort(), [
    "DELETE /auth/sessions/{sid}", "GET /.well-known/jwks.json", "GET /auth/sessions", "GET /auth/verify",
    "POST /auth/login", "POST /auth/logout", "POST /auth/password", "POST /auth/refresh", "POST /auth/register",
  ]);
  assert.equal(entering.length, 4);
  for (const { operation } of named) assert.ok(operation.responses["401"] && operation.responses["503"]);
});

test("nobody in particular: 401, at the gate and at the API itself", async () => {
  for (const { method, path } of owned) assertProblem(await http(method, fill(path, {})), 401, "unauthenticated");
  for (const route of named) {
    const path = fill(route.path, {});
    for (const origin of [at.web, at.api]) assertProblem(await http(route.method, path, { origin }), 401, "unauthenticated");
    assertProblem(await http(route.method, path, { token: "a.b.c" }), 401, "unauthenticated");
  }
  for (const path of OPEN) assert.equal((await http("GET", path)).status, 200);
});

test("a token that may only read: 403 for all that changes something", async () => {
  const token = await reader(await person("reader"));
  for (const route of [...named, ...owned]) {
    const answer = await http(route.method, fill(route.path, {}), { token, body: route.operation.requestBody && "{}" });
    if (route.method === "GET" && usual.concat(owned).includes(route)) assert.notEqual(answer.json?.code, "forbidden", title(route));
    else assertProblem(answer, 403, "forbidden");
  }
});

test("a page of somebody else's: 403 everywhere", async () => {
  const ada = await person("ada");
  for (const route of all) {
    const answer = await http(route.method, fill(route.path, {}), { token: ada.token, headers: { origin: "https://evil.example" } });
    assertProblem(answer, 403, "forbidden");
  }
});

test("ids that are none, and things that are not there: 404", async () => {
  const ada = await person("ada");
  const body = { messageId: uuid(), message: "x", userId: ada.id, role: "member", epoch: 1, seq: 1, keys: [], deviceId: uuid(), publicKey: "A".repeat(43) };
  for (const route of usual.filter(({ path }) => path.includes("{"))) {
    const sent = route.operation.requestBody ? { body } : {};
    const wrong = route.path.replace(/\{\w+\}/g, "not-an-id");
    assertProblem(await http(route.method, wrong, { token: ada.token, ...sent }), 404, "not-found");
    const loud = fill(route.path, {}).toUpperCase().replace("/API", "/api").replace("/USERS", "/users").replace("/ROOMS", "/rooms").replace("/ME/BLOCKS", "/me/blocks");
    assert.equal((await http(route.method, loud, { token: ada.token, ...sent })).status, 404, loud);
    assertProblem(await http(route.method, fill(route.path, {}), { token: ada.token, ...sent }), 404, "not-found");
  }
});

test("a stranger: 404 for what is private, 403 for a public room", async () => {
  const [ada, eve] = [await person("ada"), await person("eve")];
  const rooms = { private: await room(ada, { visibility: "private" }), public: await room(ada) };
  const memberOnly = named.filter(({ path }) => /^\/api\/rooms\/\{roomId\}\/(?!join)/.test(path));
  assert.ok(memberOnly.length >= 8);
  for (const route of memberOnly) {
    const messageId = uuid();
    const sent = route.operation.requestBody ? { body: { messageId, message: "x", userId: ada.id, role: "member", epoch: 1, seq: 1, keys: [] } } : {};
    const path = (where) => fill(route.path, { roomId: where.id, userId: ada.id });
    assertProblem(await http(route.method, path(rooms.private), { token: eve.token, ...sent }), 404, "not-found");
    assertProblem(await http(route.method, path(rooms.public), { token: eve.token, ...sent }), 403, "not-a-member");
  }
});

test("bodies that are none, of another type, too large: 400, 415, 413", async () => {
  const ada = await person("ada");
  const here = await room(ada);
  assert.ok(withBody.length >= 4);
  for (const route of withBody) {
    const path = fill(route.path, { roomId: here.id });
    const ask = (body, headers) => http(route.method, path, { token: ada.token, body, headers });
    const wrong = '{"name":7,"userId":7,"messageId":7,"displayName":7,"role":7,"maxUses":"x","keys":7,"deviceId":7}';
    for (const broken of [...(route.operation.requestBody.required ? [""] : []), "{", "null", "7", '"text"', wrong]) {
      const answer = await ask(broken);
      assert.ok(assertProblem(answer, 400, "invalid-request").errors.length > 0, title(route));
    }
    assertProblem(await ask("{}", { "content-type": "text/plain" }), 415, "unsupported-media-type");
    assertProblem(await ask(JSON.stringify({ padding: "x".repeat(70_000) })), 413, "payload-too-large");
  }
});

test("parameters out of range: 400", async () => {
  const ada = await person("ada");
  const here = await room(ada);
  await say(ada, here.id, "hi");
  for (const route of usual) {
    const names = (route.operation.parameters ?? []).filter((parameter) => parameter.in === "query").map((parameter) => parameter.name);
    const wrong = { limit: ["0", "1001", "-1", "x"], cursor: ["nonsense", "%00"], before: ["x", "9007199254740992"], after: ["-1", "9007199254740992"] };
    for (const name of names.filter((name) => name in wrong)) {
      for (const value of wrong[name]) {
        const query = names.includes("query") ? `query=ab&${name}=${value}` : `${name}=${value}`;
        const answer = await ada.as(route.method, `${fill(route.path, { roomId: here.id })}?${query}`);
        assert.equal(answer.status, 400, `${title(route)} ${query}: ${answer.text}`);
        assertProblem(answer, 400, "invalid-request");
      }
    }
  }
});

test("names and texts at their limits", async () => {
  const ada = await person("ada");
  const create = (more) => ada.as("POST", "/api/rooms", { name: "x", visibility: "public", ...more });
  assert.equal((await create({ name: "🦀".repeat(80), topic: "t".repeat(500) })).status, 201);
  for (const bad of [{ name: "" }, { name: " " }, { name: "x".repeat(81) }, { topic: "t".repeat(501) }, { visibility: "secret" }, { memberIds: [uuid()] }]) {
    assertProblem(await create(bad), 400, "invalid-request");
  }
  assert.equal((await ada.as("PATCH", "/api/me", { displayName: "x".repeat(64) })).status, 200);
  for (const displayName of ["", "x".repeat(65), "\u0000"]) assertProblem(await ada.as("PATCH", "/api/me", { displayName }), 400, "invalid-request");
});

/** An answer of `/auth`, which has to be one that the description tells of. */
async function told(route, asked = {}) {
  const answer = await http(route.method, route.path, asked);
  assert.ok(route.operation.responses[answer.status], `${title(route)} does not tell of ${answer.status}`);
  return answer;
}

test("/auth: bodies that are none, of another type, too large: 400, 415, 413", async () => {
  for (const route of entering) {
    const problems = ["{", "null", "7", '"text"', '{"username":7,"password":7,"refreshToken":7}', '{"username":"\\ud800","refreshToken":"\\ud800"}'];
    for (const body of problems) {
      const problem = assertProblem(await told(route, { body }), 400, "invalid-request");
      assert.ok(problem.errors.length > 0, `${title(route)} ${body}`);
    }
    assertProblem(await told(route, { body: "{}", headers: { "content-type": "text/plain" } }), 415, "unsupported-media-type");
    assertProblem(await told(route, { body: { padding: "x".repeat(70_000) } }), 413, "payload-too-large");
  }
});

test("/auth: what is asked for is what is described", async () => {
  const route = (name) => auth.find(({ path }) => path.endsWith(name));
  const credentials = { username: `told-${Date.now() % 1e8}`, password: PASSWORD };
  const fields = (answer) => Object.keys(answer.json).sort();
  const session = ["accessToken", "expiresIn", "tokenType", "user"];
  const registered = await told(route("/register"), { body: { ...credentials, tokenDelivery: "body" } });
  assert.deepEqual(fields(registered), [...session, "refreshToken"].sort());
  assertProblem(await told(route("/register"), { body: credentials }), 409, "conflict");
  const login = await told(route("/login"), { body: credentials });
  assert.deepEqual(fields(login), session);
  assert.ok(login.headers.get("set-cookie"));
  assertProblem(await told(route("/login"), { body: { ...credentials, password: "not the password" } }), 401, "invalid-credentials");
  const { accessToken: token, refreshToken } = registered.json;
  assert.equal((await told(route("/refresh"), { body: { refreshToken } })).status, 200);
  assertProblem(await told(route("/refresh")), 401, "unauthenticated");
  assert.deepEqual(fields(await told(route("/verify"), { token })), ["exp", "role", "scopes", "sid", "sub"]);
  for (const bad of [undefined, "a.b.c"]) assertProblem(await told(route("/verify"), { token: bad }), 401, "unauthenticated");
  assert.equal((await told(route("/logout"), { token })).status, 204);
  assertProblem(await told(route("/logout"), { token: "a.b.c" }), 401, "unauthenticated");
  assert.equal((await told(route("/jwks.json"))).json.keys[0].kty, "OKP");
});

test("/auth: another method is no route", async () => {
  for (const { method, path } of auth) {
    assertProblem(await http(method === "GET" ? "POST" : "GET", path), 404, "not-found");
    if (method !== "DELETE") assertProblem(await http("DELETE", path), 404, "not-found");
  }
});
