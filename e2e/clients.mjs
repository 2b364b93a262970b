// Programs that use the client package, each on a line of its own, and what they have to agree on.
import assert from "node:assert/strict";
import { after } from "node:test";
import WebSocket from "ws";
import { ChatClient, inMemory } from "../web/packages/chat-client/dist/index.js";
import { Line } from "./line.mjs";
import { PASSWORD, at, person, room } from "./lib.mjs";

const open = [];
after(() => open.forEach((each) => each.close()));

/** Somebody's program, on a line of its own; `again` is its next run, with what this one stored. */
export async function program(who) {
  const line = await Line.to(at.web);
  open.push(line);
  const program = { line };
  const listening = (url, request) => {
    program.bearer = request.headers.authorization ?? program.bearer;
    return fetch(url, request);
  };
  const environment = inMemory({ origin: line.origin, WebSocket, fetch: listening });
  program.again = () => {
    const client = new ChatClient(environment);
    open.push(client);
    return client;
  };
  program.client = program.again();
  await program.client.signIn("login", { username: who.username, password: PASSWORD });
  return program;
}

/** Waits until what the client shows is so. */
export function shows(client, is, what) {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (!is(client.snapshot())) return;
      clearTimeout(timer);
      forget();
      resolve();
    };
    const forget = client.subscribe(look);
    const timer = setTimeout(() => {
      forget();
      const { logs, ...rest } = client.snapshot();
      reject(new Error(`never ${what}: ${JSON.stringify(rest)} ${JSON.stringify(Object.values(logs).map(texts))}`));
    }, 60_000);
    look();
  });
}
const texts = (log) => (log?.messages ?? []).map(({ body }) => body.text ?? body.kind);
export const textsIn = (client, id) => texts(client.snapshot().logs[id]);
export const isOpen = ({ connection }) => connection === "open";
export const lost = ({ connection }) => connection === "lost";

/** Two people in a room, and both look at it. */
export async function two() {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const { id } = await room(ada, { memberIds: [bob.id] });
  const [a, b] = [await program(ada), await program(bob)];
  for (const { client } of [a, b]) {
    await shows(client, (state) => isOpen(state) && state.logs[id], "in the room");
    client.watch(id);
  }
  return { ada, bob, id, a, b };
}

/** Both show what the server's log has, to the end, and nothing waits any more. */
export async function agree(ada, id, clients, written) {
  for (const client of clients) await shows(client, ({ outbox }) => outbox.length === 0, "all sent");
  const page = (await ada.as("GET", `/api/rooms/${id}/events?limit=1000`)).json;
  assert.deepEqual(page.items.map(({ seq }) => seq), page.items.map((_, n) => n + 1));
  const said = page.items.filter(({ type }) => type === "message").map(({ message }) => message);
  for (const client of clients) {
    await shows(client, ({ logs }) => logs[id]?.head === page.headSeq, "at the head");
    if (client.snapshot().logs[id].from > 1) await client.older(id);
    assert.deepEqual(textsIn(client, id), said);
  }
  for (const [name, own] of Object.entries(written)) {
    assert.deepEqual(said.filter((text) => text.startsWith(`${name} `)), own, "each once, in the order written");
  }
}

/** The next of somebody's texts. */
export function write(written, name, client, id) {
  written[name].push(`${name} ${written[name].length}`);
  client.send(id, written[name].at(-1));
}
