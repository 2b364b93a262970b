// Section 7 of the contract by a client that seals nothing itself: the server looks at forms, epochs and devices alone.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { Socket, assertProblem, at, person, uuid } from "./lib.mjs";

const octets = (length) => randomBytes(length).toString("base64url");
const wrapped = (device) => ({ ...device, enc: octets(32), ciphertext: octets(48) });
const envelope = (device, epoch, more = {}) => ({
  alg: "A256GCM", epoch, rev: 0, ciphertext: octets(40), encryptedContentKey: octets(48), nonce: octets(12), keyNonce: octets(12),
  senderDevice: device.deviceId, ...more,
});
const send = (who, roomId, sealed, messageId = uuid()) => who.as("POST", `/api/rooms/${roomId}/messages`, { messageId, envelope: sealed });

/** A new device of somebody, as keys are wrapped to it. */
async function device(who) {
  const deviceId = uuid();
  const published = await who.as("PUT", "/api/keys", { deviceId, publicKey: octets(32), name: "Laptop" });
  assert.equal(published.status, 200, published.text);
  return { userId: who.id, deviceId };
}

test("devices: published, one key each, read by others, withdrawn", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const body = { deviceId: uuid(), publicKey: octets(32), name: "Laptop" };
  for (let again = 0; again < 2; again++) assert.deepEqual((await ada.as("PUT", "/api/keys", body)).json, body);
  assert.deepEqual((await bob.as("GET", `/api/users/${ada.id}/keys`)).json, { items: [body] });
  assertProblem(await ada.as("PUT", "/api/keys", { ...body, publicKey: octets(32) }), 409, "conflict");
  for (const bad of [{ publicKey: octets(31) }, { publicKey: `${octets(32)}=` }, { deviceId: "x" }, { name: "" }]) {
    assertProblem(await ada.as("PUT", "/api/keys", { ...body, ...bad }), 400, "invalid-request");
  }
  for (let n = 1; n < 20; n++) await device(ada);
  assertProblem(await ada.as("PUT", "/api/keys", { deviceId: uuid(), publicKey: octets(32) }), 409, "conflict");
  assertProblem(await bob.as("DELETE", `/api/keys/${body.deviceId}`), 404, "not-found");
  assert.equal((await ada.as("DELETE", `/api/keys/${body.deviceId}`)).status, 204);
  assert.equal((await ada.as("GET", `/api/users/${ada.id}/keys`)).json.items.length, 19);
});

test("a direct conversation is sealed: epochs, keys for new devices, what counts", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const [a, b] = [await device(ada), await device(bob)];
  const here = (await ada.as("POST", "/api/dms", { userId: bob.id })).json;
  const path = `/api/rooms/${here.id}/keys`;
  const [sa, sb] = [await Socket.open(ada, at.ws[0]), await Socket.open(bob, at.ws.at(-1))];
  await sb.join(here.id);
  assertProblem(await send(ada, here.id, envelope(a, 0)), 409, "stale-epoch");
  const empty = (await ada.as("GET", path)).json;
  assert.deepEqual([empty.epoch, empty.minEpoch, empty.items, empty.missing.length], [0, 1, [], 2]);
  const started = await ada.as("POST", path, { epoch: 1, keys: [wrapped(a)] });
  assert.equal(started.status, 201, started.text);
  assert.deepEqual([started.json.epoch, started.json.items.length, started.json.missing.map((m) => m.deviceId)], [1, 1, [b.deviceId]]);
  assertProblem(await bob.as("POST", path, { epoch: 1, keys: [wrapped(b)] }), 409, "conflict");
  const event = await sb.frame((frame) => frame.type === "room");
  assert.deepEqual([event.change, event.by, event.room], ["epoch", ada.id, { epoch: 1 }]);
  assert.equal((await ada.as("PUT", path, { epoch: 1, keys: [wrapped(b)] })).status, 200);
  assertProblem(await ada.as("PUT", path, { epoch: 2, keys: [wrapped(b)] }), 409, "conflict");
  assertProblem(await ada.as("PUT", path, { epoch: 1, keys: [wrapped({ ...b, deviceId: uuid() })] }), 400, "invalid-request");
  const held = (await bob.as("GET", `${path}?deviceId=${b.deviceId}`)).json;
  assert.deepEqual([held.items.length, held.items[0].createdBy, held.missing], [1, ada.id, []]);
  const sealed = envelope(a, 1);
  const sent = await send(ada, here.id, sealed);
  assert.equal(sent.status, 201, sent.text);
  assert.deepEqual((await sb.frame((frame) => frame.type === "message")).envelope, sealed);
  assert.equal((await sa.ask({ type: "send", roomId: here.id, messageId: uuid(), envelope: envelope(a, 1) })).type, "ack");
  assertProblem(await send(ada, here.id, envelope(b, 1)), 400, "invalid-request");
  for (const bad of [{ alg: "none" }, { rev: 1 }, { nonce: octets(11) }, { encryptedContentKey: octets(47) }, { ciphertext: octets(32_769) }]) {
    assertProblem(await send(ada, here.id, envelope(a, 1, bad)), 400, "invalid-request");
  }
  const second = await device(bob);
  assert.equal((await sa.frame((frame) => frame.kind === "key-needed")).roomId, here.id);
  assert.deepEqual((await ada.as("GET", path)).json.missing.map((m) => m.deviceId), [second.deviceId]);
  assert.equal((await bob.as("DELETE", `/api/keys/${second.deviceId}`)).status, 204);
  assertProblem(await send(ada, here.id, envelope(a, 1)), 409, "stale-epoch");
  assert.equal((await bob.as("POST", path, { epoch: 2, keys: [wrapped(a), wrapped(b)] })).status, 201);
  assert.equal((await send(ada, here.id, envelope(a, 2))).status, 201);
  await Promise.all([sa.close(), sb.close()]);
});

test("a block closes the conversation of the two, and a lost ack stays one", async () => {
  const [ada, bob] = [await person("ada"), await person("bob")];
  const [a, b] = [await device(ada), await device(bob)];
  const here = (await ada.as("POST", "/api/dms", { userId: bob.id })).json;
  const keys = [wrapped(a), wrapped(b)];
  assert.equal((await ada.as("POST", `/api/rooms/${here.id}/keys`, { epoch: 1, keys })).status, 201);
  const messageId = uuid();
  assert.equal((await send(bob, here.id, envelope(b, 1), messageId)).status, 201);
  const racing = Array.from({ length: 20 }, (_, n) => (n % 2 ? send(ada, here.id, envelope(a, 1)) : send(bob, here.id, envelope(b, 1))));
  assert.equal((await ada.as("PUT", `/api/me/blocks/${bob.id}`)).status, 204);
  const { headSeq } = (await ada.as("GET", `/api/rooms/${here.id}`)).json;
  for (const answer of await Promise.all(racing)) if (answer.status !== 201) assertProblem(answer, 403, "forbidden");
  const after = (await ada.as("GET", `/api/rooms/${here.id}`)).json;
  assert.equal(after.headSeq, headSeq, "nothing stands behind the block");
  for (const [who, own] of [[ada, a], [bob, b]]) {
    assertProblem(await send(who, here.id, envelope(own, 1)), 403, "forbidden");
    assertProblem(await who.as("POST", `/api/rooms/${here.id}/keys`, { epoch: 2, keys }), 403, "forbidden");
    assert.equal((await who.as("GET", `/api/rooms/${here.id}/messages`)).status, 200, "reading goes on");
  }
  const again = await send(bob, here.id, envelope(b, 1), messageId);
  assert.deepEqual([again.status, again.json.seq], [200, 3]);
  assert.equal((await ada.as("DELETE", `/api/me/blocks/${bob.id}`)).status, 204);
  assert.equal((await send(bob, here.id, envelope(b, 1))).status, 201);
});
