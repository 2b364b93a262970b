// Access tokens between implementations: what jose makes we judge as we should, and every door judges alike.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import * as jose from "jose";
import { assertProblem, at, http, mint, person } from "./lib.mjs";
import { refusal } from "./sessions.mjs";
import { committed, text } from "./token-vectors.mjs";

test("the committed vectors are those that jose makes", async () => {
  assert.equal(await text(), committed(), "write them with `node token-vectors.mjs`");
});

test("what we sign, others verify; what others sign with our key, we take", async () => {
  const ada = await person("ada");
  const jwks = jose.createRemoteJWKSet(new URL("/.well-known/jwks.json", at.web));
  const { payload, protectedHeader } = await jose.jwtVerify(ada.token, jwks, { typ: "at+jwt", audience: "chat", algorithms: ["EdDSA"] });
  assert.deepEqual([payload.sub, protectedHeader.kid], [ada.id, at.signingKey.kid]);
  const minted = await mint(ada, { name: "Somebody else" });
  for (const origin of [at.web, at.api]) assert.equal((await http("GET", "/api/me", { token: minted, origin })).json.id, ada.id);
});

test("forged tokens: 401 at each door", async () => {
  const ada = await person("ada");
  const [head, body, signature] = ada.token.split(".");
  const b64 = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const header = jose.decodeProtectedHeader(ada.token);
  const claims = jose.decodeJwt(ada.token);
  const { d: _, ...published } = at.signingKey;
  const { privateKey, publicKey } = await jose.generateKeyPair("EdDSA");
  const stranger = await jose.exportJWK(publicKey);
  const own = (more, key = privateKey) => new jose.SignJWT(claims).setProtectedHeader({ ...header, ...more }).sign(key);
  const hmac = (secret) => {
    const input = `${b64({ ...header, alg: "HS256" })}.${body}`;
    return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
  };
  const ours = await jose.importJWK(at.signingKey, "EdDSA");
  const now = Math.floor(Date.now() / 1000);
  const forged = {
    "alg none": `${b64({ ...header, alg: "none" })}.${body}.`,
    "HS256 with the public key": hmac(Buffer.from(published.x, "base64url")),
    "HS256 with the published text": hmac(JSON.stringify(published)),
    "a key of its own": await own({}),
    "jwk": await own({ jwk: stranger }),
    "jku": await own({ jku: "http://127.0.0.1:1/jwks.json" }),
    "kid: a path": await own({ kid: "../../keys/signing.jwk" }, ours),
    "another typ": await own({ typ: "JWT" }, ours),
    "another audience": await mint(ada, { aud: "db-core" }),
    "another issuer": await mint(ada, { iss: "https://evil.example" }),
    "from tomorrow": await mint(ada, { iat: now + 86_400, exp: now + 87_000 }),
    "not before tomorrow": await mint(ada, { nbf: now + 86_400 }),
    "another payload": `${head}.${b64({ ...claims, role: "admin" })}.${signature}`,
    "another signature": `${head}.${body}.${Buffer.alloc(64, 7).toString("base64url")}`,
    "too large": await mint(ada, { padding: "x".repeat(5_000) }),
  };
  for (const [name, token] of Object.entries(forged)) {
    const asked = [["/auth/verify", at.web], ["/api/me", at.web], ["/api/me", at.api]];
    for (const [route, origin] of asked) assertProblem(await http("GET", route, { token, origin }), 401, "unauthenticated");
    for (const url of at.ws) assert.equal(await refusal({ token }, url), 401, name);
  }
  assertProblem(await http("GET", "/auth/verify", { token: await mint(ada, { iat: now - 700, exp: now - 100 }) }), 401, "token-expired");
});
