// The access tokens that a verifier takes and refuses, made by another implementation than ours (jose). `node
// token-vectors.mjs` writes common/vectors/access-tokens.json, which `common` reads; a test sees that the two agree.
import { createHmac, createPrivateKey, createPublicKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import * as jose from "jose";

const NOW = 1_700_000_000;
const ISSUER = "https://chat.example";
export const FILE = new URL("../common/vectors/access-tokens.json", import.meta.url);

const b64 = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

/** The Ed25519 key of a seed of one byte over and over, as a private JWK whose `kid` is its thumbprint. */
async function key(byte) {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), Buffer.alloc(32, byte)]);
  const jwk = createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({ format: "jwk" });
  return { ...jwk, kid: await jose.calculateJwkThumbprint(jwk), alg: "EdDSA", use: "sig" };
}

const publicOf = ({ d: _, ...jwk }) => jwk;

const CLAIMS = {
  iss: ISSUER, aud: "chat", sub: "00000000-0000-4000-8000-000000000001", sid: "00000000-0000-4000-8000-000000000002",
  name: "Ada", role: "user", scopes: ["chat:read", "chat:write"], iat: NOW, exp: NOW + 600,
  jti: "00000000-0000-4000-8000-000000000003", client_id: "chat-web",
};

export async function vectors() {
  const [ours, second, stranger] = [await key(1), await key(2), await key(3)];
  const header = { alg: "EdDSA", typ: "at+jwt", kid: ours.kid };
  /** Signed over exactly these texts, whatever they say. */
  const raw = async (head, claims, by = ours) => {
    const input = `${b64(head)}.${b64(claims)}`;
    const { sign } = await import("node:crypto");
    const signature = sign(null, Buffer.from(input), createPrivateKey({ key: by, format: "jwk" }));
    return `${input}.${signature.toString("base64url")}`;
  };
  const signed = (claims = {}, head = {}, by = ours) =>
    new jose.SignJWT({ ...CLAIMS, ...claims }).setProtectedHeader({ ...header, ...head }).sign(createPrivateKey({ key: by, format: "jwk" }));
  const without = (name) => raw(header, Object.fromEntries(Object.entries(CLAIMS).filter(([claim]) => claim !== name)));
  const good = await signed();
  const [head, body, signature] = good.split(".");
  const hmac = (secret) => {
    const input = `${b64({ ...header, alg: "HS256" })}.${body}`;
    return `${input}.${createHmac("sha256", secret).update(input).digest("base64url")}`;
  };
  const pem = createPublicKey({ key: publicOf(ours), format: "jwk" }).export({ type: "spki", format: "pem" });
  const twice = (name, value) => JSON.stringify(CLAIMS).replace("{", `{"${name}":${JSON.stringify(value)},`);
  const flipped = (part, at) => part.slice(0, at) + (part[at] === "A" ? "B" : "A") + part.slice(at + 1);
  const token = (name, expect, token) => ({ name, expect, token });
  const bad = (name, text) => token(name, "bad", text);
  return {
    source: "made by jose with e2e/token-vectors.mjs",
    now: NOW,
    issuer: ISSUER,
    jwks: { keys: [publicOf(ours), publicOf(second)] },
    tokens: [
      token("a good one", "ok", good),
      token("of the second published key", "ok", await signed({}, { kid: second.kid }, second)),
      token("typ in other letters", "ok", await signed({}, { typ: "AT+JWT" })),
      token("five seconds after its end", "ok", await signed({ exp: NOW - 4 })),
      token("from a clock that is five seconds ahead", "ok", await signed({ iat: NOW + 5 })),
      token("with claims that nobody knows", "ok", await signed({ extra: { deep: [1] } })),
      token("whose jwk in the header is not looked at", "ok", await signed({}, { jwk: publicOf(stranger) })),
      token("it has ended", "expired", await signed({ exp: NOW - 5 })),
      token("it ended long ago", "expired", await signed({ iat: 0, exp: 1 })),
      token("its key is not published", "unknown-key", await signed({}, { kid: stranger.kid }, stranger)),
      token("kid: a path", "unknown-key", await signed({}, { kid: "../../../../dev/null" })),
      token("kid: SQL", "unknown-key", await signed({}, { kid: "' union select 'x" })),
      token("kid: an address", "unknown-key", await signed({}, { kid: "https://evil.example/jwks.json" })),
      token("kid: nothing", "unknown-key", await signed({}, { kid: "" })),
      token("kid: ours with a zero byte", "unknown-key", await signed({}, { kid: `${ours.kid}\u0000` })),
      bad("alg none, without a signature", `${b64({ ...header, alg: "none" })}.${body}.`),
      bad("alg none, with the signature of a good one", `${b64({ ...header, alg: "none" })}.${body}.${signature}`),
      bad("alg None", `${b64({ ...header, alg: "None" })}.${body}.`),
      bad("HS256 with the public key's bytes", hmac(Buffer.from(ours.x, "base64url"))),
      bad("HS256 with the public key's text", hmac(ours.x)),
      bad("HS256 with the public key as PEM", hmac(pem)),
      bad("HS256 with an empty key", hmac("")),
      bad("alg ES256", `${b64({ ...header, alg: "ES256" })}.${body}.${signature}`),
      bad("alg Ed448", await raw({ ...header, alg: "Ed448" }, CLAIMS)),
      bad("no alg", await raw({ typ: header.typ, kid: header.kid }, CLAIMS)),
      bad("no kid", await raw({ alg: header.alg, typ: header.typ }, CLAIMS)),
      bad("no typ", await raw({ alg: header.alg, kid: header.kid }, CLAIMS)),
      bad("typ JWT", await signed({}, { typ: "JWT" })),
      bad("typ of a refresh token", await signed({}, { typ: "rt+jwt" })),
      bad("the key that it brings along: jwk", await signed({}, { kid: ours.kid, jwk: publicOf(stranger) }, stranger)),
      bad("the key that it points at: jku", await signed({}, { jku: "https://evil.example/jwks.json" }, stranger)),
      bad("the key that it points at: x5u", await signed({}, { x5u: "https://evil.example/cert.pem" }, stranger)),
      bad("a critical extension that nobody knows", await raw({ ...header, crit: ["exp2"], exp2: 1 }, CLAIMS)),
      bad("another issuer", await signed({ iss: "https://evil.example" })),
      bad("an issuer that begins alike", await signed({ iss: `${ISSUER}.evil.example` })),
      bad("another audience", await signed({ aud: "db-core" })),
      bad("two issuers", await signed({ iss: [ISSUER, "x"] })),
      bad("from tomorrow", await signed({ iat: NOW + 86_400, exp: NOW + 87_000 })),
      bad("from six seconds ahead", await signed({ iat: NOW + 6 })),
      bad("not to be used before tomorrow", await signed({ nbf: NOW + 86_400 })),
      bad("a role that there is not", await signed({ role: "root" })),
      bad("a scope that there is not", await signed({ scopes: ["chat:everything"] })),
      bad("scopes as one text", await signed({ scopes: "chat:read chat:write" })),
      bad("a subject that is no id", await signed({ sub: "ada" })),
      bad("an end that is a text", await signed({ exp: String(NOW + 600) })),
      bad("an end that is no whole number of seconds", await raw(header, JSON.stringify(CLAIMS).replace(/"exp":\d+/, '"exp":1e99'))),
      ...(await Promise.all(["iss", "aud", "sub", "sid", "role", "scopes", "iat", "exp", "jti"].map(async (name) => bad(`without ${name}`, await without(name))))),
      bad("two roles, the second one good", await raw(header, twice("role", "admin"))),
      bad("two ends, the second one good", await raw(header, twice("exp", NOW - 600))),
      bad("two subjects", await raw(header, twice("sub", "00000000-0000-4000-8000-000000000009"))),
      bad("two algorithms", await raw(JSON.stringify(header).replace("{", '{"alg":"none",'), CLAIMS)),
      bad("claims that are a list", await raw(header, [CLAIMS])),
      bad("claims that are no JSON", await raw(header, "{")),
      bad("another payload under the signature", `${head}.${b64({ ...CLAIMS, role: "admin" })}.${signature}`),
      bad("another header under the signature", `${b64({ ...header, kid: second.kid })}.${body}.${signature}`),
      bad("a bit of the signature is another", `${head}.${body}.${flipped(signature, 10)}`),
      bad("a signature that is cut", `${head}.${body}.${signature.slice(0, -4)}`),
      bad("a signature of zeros", `${head}.${body}.${Buffer.alloc(64).toString("base64url")}`),
      bad("the signature's last spare bit is set", `${head}.${body}.${signature.slice(0, -1)}${String.fromCharCode(signature.charCodeAt(signature.length - 1) + 1)}`),
      bad("base64 with padding", `${head}.${body}.${signature}==`),
      bad("two parts", `${head}.${body}`),
      bad("four parts", `${good}.${signature}`),
      bad("five parts, as a JWE has", `${head}..${body}..${signature}`),
      bad("white space before it", ` ${good}`),
      bad("a line feed after it", `${good}\n`),
      bad("nothing", ""),
      bad("dots", ".."),
      bad("larger than a door looks at", await signed({ padding: "x".repeat(5_000) })),
    ],
  };
}

export const text = async () => `${JSON.stringify(await vectors(), null, 1)}\n`;
export const committed = () => readFileSync(FILE, "utf8");
if (process.argv[1] === new URL(import.meta.url).pathname) writeFileSync(FILE, await text());
