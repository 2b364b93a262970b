// What the suites share: a stack's endpoints, people with tokens, and an independent WebSocket client.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import * as jose from "jose";
import WebSocket from "ws";
import { described } from "./described.mjs";

const path = process.env.CHAT_ENDPOINTS;
assert.ok(path, "CHAT_ENDPOINTS names the endpoints.json of a running stack");
export const endpoints = () => JSON.parse(readFileSync(path, "utf8"));
export const at = endpoints();
export const uuid = randomUUID;
export const PASSWORD = "correct horse battery";

/** One HTTP request to the one origin; the body is JSON unless it is a string. */
export async function http(method, route, { token, body, headers = {}, origin = at.web } = {}) {
  const sent = { ...headers };
  if (token) sent.authorization = `Bearer ${token}`;
  if (body !== undefined && !("content-type" in sent)) sent["content-type"] = "application/json";
  const response = await fetch(origin + route, {
    method,
    headers: sent,
    body: body === undefined || typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
  });
  const text = await response.text();
  const json = text && response.headers.get("content-type")?.includes("json") ? JSON.parse(text) : undefined;
  return { status: response.status, headers: response.headers, json, text };
}

/** Checks a problem: its code, its form, its request id. */
export function assertProblem(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.headers.get("content-type"), "application/problem+json");
  assert.equal(answer.json.code, code);
  assert.equal(answer.json.status, status);
  assert.ok(answer.json.title && answer.json.detail);
  assert.equal(answer.json.requestId, answer.headers.get("x-request-id"));
  if (status === 429 || status === 503) assert.match(answer.headers.get("retry-after"), /^[1-9]\d*$/);
  return answer.json;
}

let people = 0;
/** A new account with a session of its own. */
export async function person(name = "p") {
  const username = `${name}-${process.pid % 10000}-${Date.now() % 1e8}-${people++}`.slice(0, 32);
  const answer = await http("POST", "/auth/register", {
    body: { username, password: PASSWORD, displayName: `${name} ${people}`, tokenDelivery: "body" },
  });
  assert.equal(answer.status, 201, answer.text);
  const { user, accessToken: token, refreshToken } = answer.json;
  const as = (method, route, body, headers) => http(method, route, { token, body, headers });
  return { ...user, token, refreshToken, as };
}

export async function room(owner, { visibility = "public", memberIds = [] } = {}) {
  const answer = await owner.as("POST", "/api/rooms", { name: `Room ${uuid()}`, visibility, memberIds });
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}

export async function say(sender, roomId, message, messageId = uuid()) {
  return sender.as("POST", `/api/rooms/${roomId}/messages`, { messageId, message });
}

/** A socket that remembers what it heard, and lets a test wait for frames. */
export class Socket {
  constructor(url, protocols, options) {
    this.frames = [];
    this.waiting = [];
    this.ws = new WebSocket(url, protocols, options);
    this.closed = new Promise((resolve) => this.ws.on("close", (code) => resolve(code)));
    this.opened = new Promise((resolve, reject) => {
      this.ws.on("open", () => resolve(this));
      this.ws.on("unexpected-response", (_, response) => {
        response.destroy();
        reject(Object.assign(new Error(`refused: ${response.statusCode}`), { status: response.statusCode }));
      });
      this.ws.on("error", reject);
    });
    this.opened.catch(() => {});
    this.ws.on("error", () => {});
    this.ws.on("message", (data) => {
      this.frames.push(described("server", JSON.parse(data.toString())));
      this.waiting = this.waiting.filter((wait) => !wait());
    });
  }

  static async open(who, url = at.ws[0]) {
    const socket = new Socket(url, ["chat.v1"], { headers: { authorization: `Bearer ${who.token}` } });
    await socket.opened;
    await socket.frame((frame) => frame.type === "welcome");
    return socket;
  }

  /** An object is what the description says; what is not, a test writes as text. */
  send(frame) {
    this.ws.send(typeof frame === "string" ? frame : JSON.stringify(described("client", frame)));
  }

  /** The first frame, heard or to come, that matches. */
  frame(matches, seconds = 20) {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = this.frames.find(matches);
        if (found) {
          clearTimeout(timer);
          resolve(found);
        }
        return Boolean(found);
      };
      const timer = setTimeout(
        () => reject(new Error(`no such frame; heard ${JSON.stringify(this.frames.slice(-5))}`)),
        seconds * 1000,
      );
      if (!look()) this.waiting.push(look);
    });
  }

  async ask(frame) {
    const asked = { ...frame, ref: uuid() };
    this.send(JSON.stringify(asked));
    const answer = await this.frame(({ ref }) => ref === asked.ref);
    if (answer.code !== "invalid-request") described("client", asked);
    return answer;
  }

  join(roomId, more = {}) {
    return this.ask({ type: "join", rooms: [{ roomId, ...more }] });
  }

  say(roomId, message, messageId = uuid()) {
    return this.ask({ type: "send", roomId, messageId, message });
  }

  /** Seqs of a room's durable frames, in the order heard. */
  seqs(roomId) {
    return this.frames.filter((frame) => frame.roomId === roomId && frame.seq && frame.type !== "ack").map((frame) => frame.seq);
  }

  async close() {
    this.ws.close(1000);
    return this.closed;
  }
}

/** Two people in a room of their own, each with a socket on a gateway of its own that has joined. */
export async function here() {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const { id } = await room(ada, { memberIds: [bob.id] });
  const [a, b] = [await Socket.open(ada, at.ws[0]), await Socket.open(bob, at.ws.at(-1))];
  await a.join(id);
  await b.join(id);
  return { ada, bob, id, a, b };
}

/** A token of somebody's session with other claims, signed with the stack's own key. */
export async function mint(who, claims) {
  const key = await jose.importJWK(at.signingKey, "EdDSA");
  const header = { alg: "EdDSA", typ: "at+jwt", kid: at.signingKey.kid };
  return new jose.SignJWT({ ...jose.decodeJwt(who.token), ...claims }).setProtectedHeader(header).sign(key);
}

/** For what must not happen: a while in which it could. */
export const quiet = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** The processes of a part, all db-core or a server with its children: stopping one alone would leave the others answering. */
export function family(name) {
  const parent = (pid) => {
    try {
      return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ")[1]);
    } catch {
      return 0;
    }
  };
  const { pids } = endpoints();
  const firsts = Object.keys(pids).filter((each) => each === name || each.replace(/-\d+$/, "") === name).flatMap((each) => pids[each]);
  return [...firsts, ...readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && firsts.includes(parent(pid))).map(Number)];
}

/** Stops a part of the stack while something is done, and lets it go on. */
export async function without(name, act) {
  const stopped = family(name);
  stopped.forEach((pid) => process.kill(pid, "SIGSTOP"));
  try {
    return await act();
  } finally {
    stopped.forEach((pid) => process.kill(pid, "SIGCONT"));
  }
}

/** Tries until it works. */
export async function eventually(act, seconds = 20) {
  const until = Date.now() + seconds * 1000;
  for (;;) {
    try {
      return await act();
    } catch (error) {
      if (Date.now() > until) throw error;
      await quiet(100);
    }
  }
}
