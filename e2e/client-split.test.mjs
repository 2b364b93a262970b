// The client package while processes hang, die and are told to stop: what was written is there once, in order, for all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { agree, two, write } from "./clients.mjs";
import { at, endpoints, eventually, quiet, without } from "./lib.mjs";

const names = [...at.ws.map((_, n) => `ws-core-${n}`), "db-core", "db-core-1"];
const pid = (name) => endpoints().pids[name][0];

/** Ends a process, and does something until another has its place. */
async function ended(name, kind, act) {
  const before = pid(name);
  process.kill(before, kind);
  await act();
  await eventually(() => assert.notEqual(pid(name), before));
}

test("gateways, db-core, Redis and Postgres go away in turns while two people write", async () => {
  const { ada, id, a, b } = await two();
  const written = { a: [], b: [] };
  const say = async (count) => {
    for (let n = 0; n < count; n++) {
      for (const [name, { client }] of Object.entries({ a, b })) write(written, name, client, id);
      await quiet(50);
    }
  };
  for (const kind of ["SIGTERM", "SIGKILL"]) {
    for (const name of names) {
      await say(3);
      await ended(name, kind, () => say(5));
      await agree(ada, id, [a.client, b.client], written);
    }
  }
  for (const name of ["db-core", "redis", "postgres"]) {
    await without(name, () => say(20));
    await agree(ada, id, [a.client, b.client], written);
  }
});
