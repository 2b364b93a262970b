// What becomes of a message (contract, sections 3 and 4), over HTTP and on sockets.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Socket, assertProblem, http, person, room, say, uuid } from "./lib.mjs";

const of = (roomId, messageId, more = "") => `/api/rooms/${roomId}/messages/${messageId}${more}`;
const reaction = (roomId, messageId, emoji) => of(roomId, messageId, `/reactions/${encodeURIComponent(emoji)}`);

test("an edit: its author's, told to everybody, shown everywhere", async () => {
  const [ada, bob, eve] = [await person("ada"), await person("bob"), await person("eve")];
  const here = await room(ada, { memberIds: [bob.id] });
  const socket = await Socket.open(bob);
  await socket.join(here.id);
  const { messageId, sentAt } = (await say(ada, here.id, "one")).json;
  assert.equal((await bob.as("GET", `/api/rooms/${here.id}/messages`)).json.items[0].message, "one");
  const edited = await ada.as("PATCH", of(here.id, messageId), { message: "two" });
  assert.equal(edited.status, 200, edited.text);
  assert.ok(edited.headers.get("chat-seen").length <= 200);
  assert.deepEqual([edited.json.seq, edited.json.message, edited.json.sentAt], [2, "two", sentAt]);
  const frame = await socket.frame((heard) => heard.type === "edited");
  assert.deepEqual(frame, { type: "edited", roomId: here.id, seq: 3, messageId, message: "two", editedAt: edited.json.editedAt });
  const history = (await bob.as("GET", `/api/rooms/${here.id}/messages`)).json.items;
  assert.deepEqual(history, [edited.json]);
  assert.deepEqual((await bob.as("GET", of(here.id, messageId))).json, edited.json);
  assert.deepEqual((await bob.as("GET", `/api/rooms/${here.id}`)).json.lastMessage, edited.json);

  assert.equal((await ada.as("PATCH", of(here.id, messageId), { message: "two" })).status, 200);
  assertProblem(await bob.as("PATCH", of(here.id, messageId), { message: "x" }), 403, "forbidden");
  assertProblem(await eve.as("PATCH", of(here.id, messageId), { message: "x" }), 403, "not-a-member");
  const other = await room(ada);
  assertProblem(await ada.as("PATCH", of(other.id, messageId), { message: "x" }), 404, "not-found");
  for (const body of [{}, { message: " " }, { message: "x".repeat(4001) }, { message: 7 }, { envelope: {} }]) {
    assertProblem(await ada.as("PATCH", of(here.id, messageId), body), 400, "invalid-request");
  }
  const envelope = { alg: "A256GCM", epoch: 1, rev: 1, ciphertext: "AA", encryptedContentKey: "AA", nonce: "AA", keyNonce: "AA", senderDevice: uuid() };
  assertProblem(await ada.as("PATCH", of(here.id, messageId), { envelope }), 400, "invalid-request");
  assertProblem(await ada.as("PATCH", of(here.id, messageId), { envelope, message: "x" }), 400, "invalid-request");
  assert.equal((await ada.as("GET", `/api/rooms/${here.id}`)).json.headSeq, 3, "what changes nothing takes no seq");
  await socket.close();
});

test("a deletion takes the content out of every later answer", async () => {
  const [ada, bob, cas] = [await person("ada"), await person("bob"), await person("cas")];
  const here = await room(ada, { memberIds: [bob.id, cas.id] });
  const history = `/api/rooms/${here.id}/messages`;
  const { messageId } = (await say(bob, here.id, "secret one")).json;
  await bob.as("PATCH", of(here.id, messageId), { message: "secret two" });
  await cas.as("PUT", reaction(here.id, messageId, "👍"));
  const answer = (await ada.as("POST", history, { messageId: uuid(), message: "an answer", replyTo: messageId })).json;
  assert.equal((await cas.as("GET", history)).json.items.length, 2);
  const socket = await Socket.open(cas);
  await socket.join(here.id);
  assertProblem(await cas.as("DELETE", of(here.id, messageId)), 403, "forbidden");
  assert.equal((await ada.as("DELETE", of(here.id, messageId))).status, 204);
  assert.equal((await bob.as("DELETE", of(here.id, messageId))).status, 204, "again too");
  const frame = await socket.frame((heard) => heard.type === "deleted");
  assert.match(frame.deletedAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(frame, { type: "deleted", roomId: here.id, seq: 6, messageId, deletedBy: ada.id, deletedAt: frame.deletedAt });

  const log = await cas.as("GET", `/api/rooms/${here.id}/events`);
  assert.deepEqual(log.json.items.map((event) => [event.seq, event.type, event.deleted]), [
    [1, "room", undefined],
    [2, "message", true],
    [3, "edited", true],
    [4, "reaction", undefined],
    [5, "message", undefined],
    [6, "deleted", undefined],
  ]);
  const page = await cas.as("GET", history);
  const [gone, reply] = page.json.items;
  assert.deepEqual([gone.deleted, gone.message, gone.reactions, gone.senderId], [true, undefined, [], bob.id]);
  assert.deepEqual(reply, answer);
  const late = await Socket.open(bob);
  const joined = await late.join(here.id, { afterSeq: 0 });
  assert.equal(joined.events.length, 6);
  const one = await bob.as("GET", of(here.id, messageId));
  for (const text of [log.text, page.text, one.text, JSON.stringify(joined)]) assert.ok(!text.includes("secret"), text);
  assertProblem(await bob.as("PATCH", of(here.id, messageId), { message: "back" }), 409, "conflict");
  assertProblem(await cas.as("PUT", reaction(here.id, messageId, "👍")), 409, "conflict");
  const again = await say(bob, here.id, "secret again", messageId);
  assert.deepEqual([again.status, again.json.seq, again.json.deleted], [200, 2, true]);
  assert.equal((await ada.as("DELETE", of(here.id, answer.messageId))).status, 204);
  assert.equal((await ada.as("GET", "/api/rooms")).json.items.find((r) => r.id === here.id).lastMessage.deleted, true);

  await ada.as("DELETE", `/api/rooms/${here.id}/members/${bob.id}`);
  assertProblem(await bob.as("DELETE", of(here.id, messageId)), 403, "not-a-member");
  await socket.close();
  await late.close();
});

test("reactions: counted for all, marked for each, twenty different", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const here = await room(ada, { memberIds: [bob.id] });
  const socket = await Socket.open(bob);
  await socket.join(here.id);
  const { messageId } = (await say(ada, here.id, "tea?")).json;
  const shown = async (who) => (await who.as("GET", `/api/rooms/${here.id}/messages`)).json.items[0].reactions;
  for (const emoji of ["👩‍👩‍👧‍👦", "/", "100%"]) assert.equal((await ada.as("PUT", reaction(here.id, messageId, emoji))).status, 204);
  assert.equal((await bob.as("PUT", reaction(here.id, messageId, "/"))).status, 204);
  assert.equal((await bob.as("PUT", reaction(here.id, messageId, "/"))).status, 204, "again too");
  const expected = (mine) => [
    { emoji: "👩‍👩‍👧‍👦", count: 1, mine },
    { emoji: "/", count: 2, mine: true },
    { emoji: "100%", count: 1, mine },
  ];
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(await shown(ada), expected(true));
    assert.deepEqual(await shown(bob), expected(false));
  }
  const frame = await socket.frame((heard) => heard.type === "reaction" && heard.userId === bob.id);
  assert.deepEqual(frame, { type: "reaction", roomId: here.id, seq: 6, messageId, userId: bob.id, emoji: "/", op: "added" });
  assert.equal((await bob.as("DELETE", reaction(here.id, messageId, "/"))).status, 204);
  assert.equal((await bob.as("DELETE", reaction(here.id, messageId, "/"))).status, 204, "again too");
  const removed = await socket.frame((heard) => heard.op === "removed");
  assert.deepEqual([removed.seq, removed.emoji, removed.userId], [7, "/", bob.id]);
  assert.equal((await ada.as("GET", `/api/rooms/${here.id}`)).json.headSeq, 7);

  for (const bad of ["a b", "\u0000", "\u3000", "x".repeat(33), "👍".repeat(9)]) {
    assertProblem(await ada.as("PUT", reaction(here.id, messageId, bad)), 400, "invalid-request");
  }
  assertProblem(await ada.as("PUT", of(here.id, messageId, "/reactions/%ff")), 400, "invalid-request");
  assertProblem(await ada.as("PUT", of(here.id, "%ff", "/reactions/x")), 404, "not-found");
  for (let n = 0; n < 17; n++) assert.equal((await ada.as("PUT", reaction(here.id, messageId, `${n}`))).status, 204);
  assertProblem(await bob.as("PUT", reaction(here.id, messageId, "more")), 409, "conflict");
  assert.equal((await bob.as("PUT", reaction(here.id, messageId, "0"))).status, 204);
  assert.equal((await shown(bob)).length, 20);
  await socket.close();
});

/** Asks until the answer is as expected: search may lag by 2 s. */
async function found(who, query, expected) {
  const deadline = Date.now() + 20_000;
  for (;;) {
    const answer = await who.as("GET", `/api/search?${new URLSearchParams(query)}`);
    assert.equal(answer.status, 200, answer.text);
    const texts = answer.json.items.map((message) => message.message);
    if (JSON.stringify(texts) === JSON.stringify(expected)) return answer.json;
    assert.ok(Date.now() < deadline, `${JSON.stringify(query)} finds ${JSON.stringify(texts)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

test("search: my rooms, the newest first, as messages stand now", async () => {
  const [ada, bob, eve] = [await person("ada"), await person("bob"), await person("eve")];
  const [here, secret] = [await room(ada, { memberIds: [bob.id] }), await room(eve, { visibility: "private" })];
  await say(eve, secret.id, "quince of Eve");
  const first = (await say(ada, here.id, "Quince jam, homemade")).json;
  for (let n = 0; n < 4; n++) await say(bob, here.id, `quince ${n}`);
  const newest = ["quince 3", "quince 2", "quince 1", "quince 0", "Quince jam, homemade"];
  await found(ada, { query: "quince" }, newest);
  await found(ada, { query: "QUIN", roomId: here.id }, newest);
  await found(eve, { query: "quince" }, ["quince of Eve"]);
  const page = await found(ada, { query: "quince", limit: "3" }, newest.slice(0, 3));
  const rest = await found(ada, { query: "quince", limit: "3", cursor: page.nextCursor }, newest.slice(3));
  assert.equal(rest.nextCursor, undefined);
  assert.deepEqual(rest.items[1], first);
  await ada.as("PATCH", of(here.id, first.messageId), { message: "Medlar jam" });
  await found(ada, { query: "quince jam" }, []);
  await found(ada, { query: "medlar" }, ["Medlar jam"]);
  await ada.as("DELETE", of(here.id, first.messageId));
  assert.deepEqual((await ada.as("GET", "/api/search?query=medlar")).json.items, []);
  assertProblem(await ada.as("GET", `/api/search?query=quince&roomId=${secret.id}`), 404, "not-found");
  assertProblem(await eve.as("GET", `/api/search?query=quince&roomId=${here.id}`), 403, "not-a-member");
  assertProblem(await ada.as("GET", `/api/search?query=quince&roomId=${uuid()}`), 404, "not-found");
  for (const bad of ["", "?query=", "?query=%20", `?query=${"x".repeat(201)}`, "?query=a&roomId=7", "?query=a%00"]) {
    assertProblem(await ada.as("GET", `/api/search${bad}`), 400, "invalid-request");
  }
  await bob.as("POST", `/api/rooms/${here.id}/leave`);
  assert.deepEqual((await bob.as("GET", "/api/search?query=quince")).json.items, []);
});

test("Idempotency-Key: done once, however often it comes", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const key = uuid();
  const post = (who, route, body, theKey = key) => who.as("POST", route, body, { "idempotency-key": theKey });
  const wanted = { name: "Once", visibility: "public" };
  const tries = await Promise.all(Array.from({ length: 8 }, () => post(ada, "/api/rooms", wanted)));
  for (const answer of tries) assert.deepEqual([answer.status, answer.json.id], [201, tries[0].json.id]);
  const here = tries[0].json;
  assert.equal((await ada.as("GET", "/api/rooms")).json.items.length, 1);
  assertProblem(await post(ada, "/api/rooms", { ...wanted, topic: "" }), 409, "conflict");
  assert.notEqual((await post(bob, "/api/rooms", wanted)).json.id, here.id, "another's key");
  assert.notEqual((await post(ada, "/api/rooms", wanted, uuid())).json.id, here.id, "another key");

  const members = `/api/rooms/${here.id}/members`;
  assertProblem(await post(bob, members, { userId: bob.id }), 403, "not-a-member");
  for (let n = 0; n < 2; n++) assert.equal((await post(ada, members, { userId: bob.id })).status, 201);
  assert.equal((await post(ada, members, { userId: bob.id }, uuid())).status, 200);
  const leave = `/api/rooms/${here.id}/leave`;
  assert.equal((await post(bob, leave)).status, 204);
  const join = await post(bob, `/api/rooms/${here.id}/join`);
  assert.deepEqual([join.status, join.json.myRole, join.json.headSeq], [200, "member", 4]);
  assert.equal((await post(bob, leave)).status, 204);
  assert.equal((await ada.as("GET", `/api/rooms/${here.id}`)).json.memberCount, 2, "a repeat does not leave again");

  const messages = `/api/rooms/${here.id}/messages`;
  const body = { messageId: uuid(), message: "hi" };
  assert.equal((await post(bob, messages, body)).status, 201);
  await bob.as("PATCH", of(here.id, body.messageId), { message: "hi!" });
  const again = await post(bob, messages, body);
  assert.deepEqual([again.status, again.json.message, again.json.seq], [201, "hi!", 5]);
  assertProblem(await post(bob, messages, { ...body, message: "other" }), 409, "conflict");
  assert.equal((await bob.as("POST", messages, body)).status, 200, "without the key it is a repeated message");
  assert.equal((await post(bob, messages, body, uuid())).status, 200);

  for (const bad of ["", "a b", "x".repeat(129), "é"]) assertProblem(await post(ada, "/api/rooms", wanted, bad), 400, "invalid-request");
  assert.equal((await post(ada, "/api/rooms", wanted, "!".repeat(128))).status, 201);
  const stranger = await http("POST", "/api/rooms", { body: wanted, headers: { "idempotency-key": "a b" } });
  assertProblem(stranger, 401, "unauthenticated");
});
