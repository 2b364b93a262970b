// The client package against a stack, over lines that are cut: what was sent is there once, in order, for everybody.
import assert from "node:assert/strict";
import { test } from "node:test";
import { agree, isOpen, lost, program, shows, two, write } from "./clients.mjs";
import { PASSWORD, http } from "./lib.mjs";

test("what is sent while the line is cut arrives when it is back, once and in order, on both sides", async () => {
  const { ada, id, a, b } = await two();
  const written = { a: [], b: [] };
  const say = (name, client, count) => {
    for (let n = 0; n < count; n++) write(written, name, client, id);
  };
  say("a", a.client, 3);
  say("b", b.client, 3);
  await agree(ada, id, [a.client, b.client], written);
  a.line.cut();
  await shows(a.client, lost, "lost");
  say("a", a.client, 5);
  say("b", b.client, 5);
  await shows(b.client, ({ outbox }) => outbox.length === 0, "sent");
  assert.equal(a.client.snapshot().outbox.length, 5);
  a.line.mend();
  await agree(ada, id, [a.client, b.client], written);
});

test("what was committed while no answer came back is not there twice", async () => {
  const { ada, id, a, b } = await two();
  const written = { a: Array.from({ length: 20 }, (_, n) => `a ${n}`) };
  a.line.deafen();
  written.a.forEach((text) => a.client.send(id, text));
  await shows(b.client, ({ logs }) => logs[id].messages.length > 0, "committed");
  assert.equal(a.client.snapshot().outbox.length, 20);
  a.line.mend();
  await agree(ada, id, [a.client, b.client], written);
});

test("a program that ends with its line cut sends the rest when it runs again, under the same ids", async () => {
  const { ada, id, a, b } = await two();
  const written = { a: Array.from({ length: 10 }, (_, n) => `a ${n}`) };
  a.line.deafen();
  const ids = written.a.slice(0, 5).map((text) => a.client.send(id, text));
  await shows(b.client, ({ logs }) => logs[id].messages.length > 0, "committed");
  a.line.cut();
  ids.push(...written.a.slice(5).map((text) => a.client.send(id, text)));
  a.client.close();
  const next = a.again();
  const started = next.start();
  a.line.mend();
  await started;
  await shows(next, (state) => state.logs[id], "in the room");
  next.watch(id);
  await agree(ada, id, [next, b.client], written);
  assert.deepEqual(b.client.snapshot().logs[id].messages.map(({ messageId }) => messageId), ids);
});

test("both lines fail in turns while both write", async () => {
  const { ada, id, a, b } = await two();
  const written = { a: [], b: [] };
  const faults = ["cut", "deafen", "mend", "deafen", "mend", "cut", "mend", "deafen", "cut", "mend"];
  for (let round = 0; round < 40; round++) {
    for (const [name, { client }] of Object.entries({ a, b })) write(written, name, client, id);
    [a, b][round % 2].line[faults[Math.floor(round / 2) % faults.length]]();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  [a, b].forEach(({ line }) => line.mend());
  await agree(ada, id, [a.client, b.client], written);
});

test("who signs out leaves nothing behind, and another user of the same program gets none of it", async () => {
  const { bob, id, a } = await two();
  a.client.send(id, "still here");
  await shows(a.client, ({ outbox }) => outbox.length === 0, "sent");
  // The room refuses it for good: it stays until somebody decides.
  a.client.send(id, " ");
  await shows(a.client, ({ outbox }) => outbox[0]?.state.kind === "refused", "refused");
  await a.client.signOut();
  assert.deepEqual(a.client.snapshot().outbox, []);
  await a.client.signIn("login", { username: bob.username, password: PASSWORD });
  await shows(a.client, (state) => isOpen(state) && state.logs[id], "in the room as another");
  assert.deepEqual(a.client.snapshot().outbox, []);
  assert.equal(a.client.snapshot().user.id, bob.id);
});

test("a session that ends elsewhere ends the client, and what waits is there for the same user alone", async () => {
  const { ada, bob, id, a } = await two();
  const refused = a.client.send(id, " ");
  await shows(a.client, ({ outbox }) => outbox[0]?.state.kind === "refused", "refused");
  const { status } = await http("POST", "/auth/logout", { headers: { authorization: a.bearer } });
  assert.equal(status, 204);
  await shows(a.client, ({ phase }) => phase === "signed-out", "signed out");
  assert.deepEqual(a.client.snapshot().outbox, []);
  await a.client.signIn("login", { username: bob.username, password: PASSWORD });
  await shows(a.client, (state) => isOpen(state) && state.logs[id], "in the room as another");
  assert.deepEqual(a.client.snapshot().outbox, []);
  await a.client.signIn("login", { username: ada.username, password: PASSWORD });
  await shows(a.client, (state) => isOpen(state) && state.logs[id], "in the room again");
  assert.deepEqual(a.client.snapshot().outbox.map(({ draft, state }) => [draft.messageId, state.kind]), [[refused, "refused"]]);
  a.client.discard(refused);
  assert.deepEqual(a.client.snapshot().outbox, []);
});

test("unread and mention counts follow what happens, and one place clears them in the other", async () => {
  const { ada, bob, id, a } = await two();
  const [first, second] = [await program(bob), await program(bob)];
  const counts = ({ rooms }) => rooms.filter((room) => room.id === id).map((room) => [room.unreadCount, room.mentionCount])[0] ?? [];
  const counted = (client, ...wanted) => shows(client, (state) => String(counts(state)) === String(wanted), `counted ${wanted}`);
  for (const { client } of [first, second]) await shows(client, (state) => isOpen(state) && state.logs[id], "in the room");
  a.client.send(id, "to all");
  a.client.send(id, "to you", { mentions: [bob.id] });
  const wrong = a.client.send(id, "a mistake");
  for (const { client } of [first, second]) await counted(client, 3, 1);
  await ada.as("DELETE", `/api/rooms/${id}/messages/${wrong}`);
  for (const { client } of [first, second]) await counted(client, 2, 1);
  first.client.watch(id);
  first.client.read(id);
  for (const { client } of [first, second]) await counted(client, 0, 0);
  a.client.send(id, "more");
  for (const { client } of [first, second]) await counted(client, 1, 0);
  const listed = (await bob.as("GET", "/api/rooms")).json.items.find((room) => room.id === id);
  assert.deepEqual([listed.unreadCount, listed.mentionCount], [1, 0]);
});

test("history is folded from events: edited, deleted and reacted to, however far back", async () => {
  const { ada, bob, id, a } = await two();
  const path = `/api/rooms/${id}/messages`;
  const ids = [];
  for (const text of ["first", "second", "third"]) ids.push(a.client.send(id, text));
  await shows(a.client, ({ outbox }) => outbox.length === 0, "sent");
  await ada.as("PATCH", `${path}/${ids[0]}`, { message: "first, edited" });
  await ada.as("DELETE", `${path}/${ids[1]}`);
  for (const who of [ada, bob]) await who.as("PUT", `${path}/${ids[2]}/reactions/%F0%9F%8D%B5`);
  for (let n = 0; n < 130; n++) await (n % 2 ? bob : ada).as(n % 4 < 2 ? "PUT" : "DELETE", `${path}/${ids[0]}/reactions/+`);
  const late = await program(bob);
  await shows(late.client, (state) => isOpen(state) && state.logs[id], "in the room");
  late.client.watch(id);
  for (const { client } of [a, late]) {
    await shows(client, ({ logs }) => logs[id].from === 1 && logs[id].messages[2]?.reactions.length, "all the way back");
    const [edited, deleted, reacted] = client.snapshot().logs[id].messages;
    assert.deepEqual([edited.body, Boolean(edited.editedAt)], [{ kind: "text", text: "first, edited" }, true]);
    assert.deepEqual(deleted.body, { kind: "deleted" });
    assert.deepEqual(reacted.reactions, [{ emoji: "🍵", userIds: [ada.id, bob.id] }]);
  }
});
