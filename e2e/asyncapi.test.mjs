// The WebSocket's description: it is AsyncAPI 3.0, it is served, and what clients and gateways say is in it and nothing else.
// That it is what the code gives is `api-functions`' own test; every other suite's frames are held against it too.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import Ajv from "ajv";
import formats from "ajv-formats";
import { description, faults, seen, text } from "./described.mjs";
import { at, here, http, mint, uuid } from "./lib.mjs";

test("the description is valid AsyncAPI 3.0", () => {
  const path = createRequire(import.meta.url).resolve("@asyncapi/specs/schemas/3.0.0.json");
  const validate = formats(new Ajv({ strict: false, meta: false, validateSchema: false })).compile(JSON.parse(readFileSync(path, "utf8")));
  assert.ok(validate(description), JSON.stringify(validate.errors, null, 2));
  const { asyncapi, ...rest } = description;
  assert.ok(!validate({ asyncapi, ...rest, channels: { socket: { address: 7 } } }));
});

test("it is served to anybody, as it is committed", async () => {
  for (const origin of [at.web, at.api]) {
    const answer = await http("GET", "/api/asyncapi.json", { origin });
    assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, "application/json"]);
    assert.ok(answer.text === text);
  }
});

test("every reference leads somewhere, and every message is of an operation", () => {
  const lookup = (pointer) => pointer.split("/").slice(1).reduce((place, key) => place?.[key], description);
  const references = [...text.matchAll(/"\$ref": "#([^"]+)"/g)].map(([, pointer]) => pointer);
  assert.deepEqual(references.filter((pointer) => lookup(pointer) === undefined), []);
  const told = Object.values(description.operations).flatMap(({ messages, reply }) => [...messages, ...(reply?.messages ?? [])]);
  const names = new Set(told.map(({ $ref }) => $ref.split("/").at(-1)));
  assert.deepEqual([...names].sort(), Object.keys(description.components.messages).sort());
  assert.deepEqual(description.channels.socket["x-closeCodes"].map(({ code }) => code), [1001, 1002, 1007, 1009, 4400, 4401, 4403, 4408, 4429, 4503]);
});

test("the schemas refuse what is not so", () => {
  const roomId = uuid();
  const good = { type: "typing", roomId, userId: uuid(), typing: true };
  assert.equal(faults("server", good), undefined);
  for (const wrong of [{ extra: 1 }, { roomId: undefined }, { roomId: "x" }, { typing: "yes" }, { type: "hologram" }, { type: "read" }]) {
    assert.ok(faults("server", JSON.parse(JSON.stringify({ ...good, ...wrong }))), JSON.stringify(wrong));
  }
  const send = { type: "send", roomId, messageId: uuid(), message: "hi" };
  assert.equal(faults("client", send), undefined);
  for (const wrong of [{ message: undefined }, { message: "" }, { message: "x".repeat(4_001) }, { ref: "x".repeat(65) }, { ref: 1 }, { deleted: true, message: undefined }]) {
    assert.ok(faults("client", JSON.parse(JSON.stringify({ ...send, ...wrong }))), JSON.stringify(wrong));
  }
});

test("every message goes by as it is described", async () => {
  const { ada, bob, id, a, b } = await here();
  const message = (await a.say(id, "hi")).messageId;
  await b.frame((frame) => frame.messageId === message);
  const answer = await b.ask({ type: "send", roomId: id, messageId: uuid(), message: "you", replyTo: message, mentions: [ada.id] });
  await a.frame((frame) => frame.replyTo === message);
  a.send({ type: "typing", roomId: id, typing: true });
  await b.frame((frame) => frame.type === "typing");
  b.send({ type: "read", roomId: id, seq: answer.seq });
  await a.frame((frame) => frame.type === "read");
  b.send({ type: "presence", status: "away" });
  await a.frame((frame) => frame.type === "presence" && frame.status === "away");
  const path = `/api/rooms/${id}/messages/${message}`;
  assert.equal((await bob.as("PUT", `${path}/reactions/%F0%9F%91%8D`)).status, 204);
  assert.equal((await ada.as("PATCH", path, { message: "hello" })).status, 200);
  assert.equal((await ada.as("DELETE", path)).status, 204);
  assert.equal((await ada.as("PATCH", `/api/rooms/${id}`, { topic: "all of it" })).status, 200);
  await b.frame((frame) => frame.type === "room");
  await b.ask({ type: "ping" });
  await a.ask({ type: "auth", accessToken: await mint(ada, {}) });
  assert.equal((await a.join(uuid())).type, "error");
  await a.ask({ type: "leave", roomId: id });
  const again = await a.join(id, { afterSeq: 0 });
  assert.deepEqual(new Set(again.events.map(({ type }) => type)), new Set(["room", "message", "edited", "deleted", "reaction"]));
  assert.equal((await ada.as("DELETE", `/api/rooms/${id}/members/${bob.id}`)).status, 204);
  await b.frame((frame) => frame.type === "member" && frame.change === "removed");
  await b.frame((frame) => frame.type === "notice" && frame.kind === "room-removed");
  await Promise.all([a.close(), b.close()]);
  // A gateway says it as it goes: `split.test.mjs`.
  const missing = Object.keys(description.components.messages).filter((name) => !seen.has(name));
  assert.deepEqual(missing, ["server.draining"]);
});
