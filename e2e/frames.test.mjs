// The gateway itself against broken and unusual frames: what of the Autobahn cases needs no echo, and the contract's own codes.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { CASES, NOT_OFFERED, answered, close, cut, failed, frame } from "./framing/cases.mjs";
import { judge, run } from "./framing/judge.mjs";
import { BINARY, CONTINUATION, PING, Peer, TEXT, encoded, upgrade } from "./framing/peer.mjs";
import { UTF8 } from "./framing/utf8.mjs";
import { at, person } from "./lib.mjs";

const edge = `${at.web.replace("http", "ws")}/ws`;
const json = (value) => Buffer.from(JSON.stringify(value));
const PONG = Buffer.from('{"type":"pong","ref":"a","serverTime":');
const WELCOME = 1;
let headers;
before(async () => {
  headers = { authorization: `Bearer ${(await person("ada")).token}` };
});

/** A whole text or binary message means something else to the gateway than to an echo. */
const says = (sends) => sends.frames.some(({ opcode, fin, rsv }) => (opcode === TEXT || opcode === BINARY) && fin && rsv === 0) ||
  sends.heard.OK?.some(([kind]) => kind === "message");
const silent = Object.entries({ ...CASES, ...UTF8 }).filter(([number, sends]) => sends.fails?.includes(1007) || !says(sends) || number === "7.1.4");

test(`${silent.length} cases of the Autobahn suite`, async (t) => {
  for (const [number, sends] of silent) {
    await t.test(`Autobahn ${number}`, async () => judge(sends, await run(at.ws[0], headers, sends, WELCOME)));
  }
});

test("the same through the one origin", async () => {
  for (const number of ["2.4", "2.5", "2.11", "5.18", "6.3.2", "7.1.3", "7.3.5", "7.9.3"]) {
    const sends = { ...CASES, ...UTF8 }[number];
    judge(sends, await run(edge, headers, sends, WELCOME));
  }
});

test("a text in fragments is one frame, also with control frames between and within a character", async () => {
  const text = json({ type: "ping", ref: "a", padding: "µ🦀" });
  for (const size of [1, 7, text.length]) {
    const peer = await Peer.connect(at.ws[0], headers);
    await peer.until(WELCOME);
    for (const one of cut(TEXT, text, size)) {
      await peer.frame(one);
      if (!one.fin) await peer.frame(frame(PING, "between"));
    }
    await peer.frame(close(1000));
    assert.equal(await peer.ended, "closed");
    const heard = peer.heard.slice(WELCOME);
    const [, answer] = heard.pop();
    assert.deepEqual(answer.subarray(0, PONG.length), PONG);
    assert.ok(heard.every(([kind, payload]) => kind === "pong" && payload.toString() === "between"));
    assert.equal(heard.length, Math.ceil(text.length / size) - 1);
  }
});

test("a frame of 64 KiB is taken, one above closes 1009, whole or in fragments", async () => {
  const padded = (length) => {
    const bare = json({ type: "ping", ref: "a", padding: "" }).length;
    return json({ type: "ping", ref: "a", padding: "x".repeat(length - bare) });
  };
  const LIMIT = 65_536;
  const { heard, code } = await run(at.ws[0], headers, { ...answered([frame(TEXT, padded(LIMIT))], [null]) }, WELCOME);
  assert.deepEqual([heard.length, code], [1, 1000]);
  for (const frames of [[frame(TEXT, padded(LIMIT + 1))], cut(TEXT, padded(LIMIT + 1), 1_000), [frame(TEXT, padded(LIMIT * 64))]]) {
    const sends = failed(1009, frames);
    judge(sends, await run(at.ws[0], headers, sends, WELCOME));
  }
});

test("what is no text, no JSON or not masked is closed with its code", async () => {
  for (const [code, frames] of [
    [4400, [frame(BINARY, json({ type: "ping" }))]],
    [4400, [frame(BINARY, "x", { fin: false }), frame(CONTINUATION, "y")]],
    [4400, [frame(TEXT)]],
    [1007, [frame(TEXT, Buffer.from([0x22, 0xff, 0x22]))]],
  ]) {
    const sends = failed(code, frames);
    judge(sends, await run(at.ws[0], headers, sends, WELCOME));
  }
  const peer = await Peer.connect(at.ws[0], headers);
  const unmasked = encoded(frame(TEXT, json({ type: "ping" })));
  await peer.bytes(Buffer.concat([Buffer.from([unmasked[0], unmasked[1] & 0x7f]), json({ type: "ping" })]));
  assert.deepEqual([await peer.ended, peer.code], ["closed", 1002]);
});

test("compression may be asked for and is not offered", async () => {
  for (const url of [at.ws[0], edge]) {
    for (const offer of new Set(Object.values(NOT_OFFERED))) {
      const answer = await upgrade(url, { ...headers, "sec-websocket-extensions": offer });
      answer.socket.destroy();
      assert.equal(answer.headers["sec-websocket-extensions"], undefined);
      assert.equal(answer.headers["sec-websocket-protocol"], "chat.v1");
    }
  }
});
