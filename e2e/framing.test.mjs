// The cases of the Autobahn suite against the gateway's framing: an echo over the gateway's own sockets, which CHAT_ECHO names.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { after, test } from "node:test";
import { createInterface } from "node:readline";
import { CASES, CASES_OF_EACH, NOT_OFFERED } from "./framing/cases.mjs";
import { judge, run } from "./framing/judge.mjs";
import { LARGE } from "./framing/large.mjs";
import { upgrade } from "./framing/peer.mjs";
import { UTF8 } from "./framing/utf8.mjs";

assert.ok(process.env.CHAT_ECHO, "CHAT_ECHO names the built example `echo` of ws-core");
const echo = spawn(process.env.CHAT_ECHO, { stdio: ["ignore", "pipe", "inherit"] });
after(() => echo.kill());
const [url] = await once(createInterface(echo.stdout), "line");

const all = { ...CASES, ...UTF8, ...LARGE };
const order = (a, b) => a.split(".").reduce((sign, part, at) => sign || part - b.split(".")[at], 0);
const told = {};

for (const number of Object.keys(all).sort(order)) {
  test(`Autobahn ${number}`, async (t) => {
    const sends = typeof all[number] === "function" ? all[number]() : all[number];
    const behaviour = judge(sends, await run(url, {}, sends));
    told[behaviour] = (told[behaviour] ?? 0) + 1;
    if (behaviour !== "OK") t.diagnostic(`${number}: ${behaviour}`);
  });
}

for (const [chapter, offer] of Object.entries(NOT_OFFERED)) {
  test(`Autobahn ${chapter}.1-${CASES_OF_EACH}: compression is not offered`, async () => {
    const { headers, socket } = await upgrade(url, { "sec-websocket-extensions": offer });
    socket.destroy();
    assert.equal(headers["sec-websocket-extensions"], undefined);
    told.UNIMPLEMENTED = (told.UNIMPLEMENTED ?? 0) + CASES_OF_EACH;
  });
}

test("every case of the suite has had its turn", (t) => {
  t.diagnostic(JSON.stringify(told));
  assert.equal(Object.keys(all).length, 301);
  assert.equal(told.UNIMPLEMENTED, 216);
});
