// Runs a case, and says how it went in Autobahn's words.
import assert from "node:assert/strict";
import { Peer, encoded } from "./peer.mjs";
import { close } from "./cases.mjs";

/** How long what has to fail at once may go on until it counts as not at once. */
const AT_ONCE = 100;

const same = (heard, expected) => heard.length === expected.length && heard.every((event, at) =>
  event.length === expected[at].length && event.every((part, n) => Buffer.isBuffer(part) ? part.equals(expected[at][n]) : part === expected[at][n]));

async function step(peer, one, sent) {
  if (one.until) return peer.until(one.until);
  if (one.untilAnswered) return peer.until(sent);
  if (one.stillOpen) {
    const open = await Promise.race([peer.ended, new Promise((resolve) => setTimeout(resolve, AT_ONCE, "open"))]);
    if (open === "open") peer.heard.push(["open", one.stillOpen]);
    return undefined;
  }
  if (one.of) {
    one.of.encoded ??= encoded(one.of); // all its pieces have one mask
    const head = one.of.encoded.length - one.of.payload.length;
    return peer.bytes(one.of.encoded.subarray(one.from && head + one.from, one.to && head + one.to));
  }
  return peer.frame(one);
}

/** Sends what the case sends and closes as it does; `before` is what the server says by itself first. */
export async function run(url, headers, sends, before = 0) {
  const peer = await Peer.connect(url, headers);
  await peer.until(before);
  peer.heard.splice(0, before);
  peer.closing = Boolean(sends.ends);
  if (sends.joined) {
    await peer.bytes(Buffer.concat(sends.frames.map(encoded)));
  } else {
    let sent = 0;
    for (const one of sends.frames) {
      await step(peer, one, sent);
      if (one.opcode !== undefined) sent += 1;
    }
  }
  if (sends.closes) {
    await peer.until(sends.heard.OK.length);
    await peer.frame(close(sends.closes[0]));
  }
  return { heard: peer.heard, ended: await peer.ended, code: peer.code };
}

/** `OK`, `NON-STRICT` (allowed, but not as early as it could be) or `INFORMATIONAL`; fails for all else. */
export function judge(sends, { heard, ended, code }) {
  const short = heard.map(([kind, payload]) => `${kind} ${payload.length > 40 ? `of ${payload.length} bytes` : payload}`);
  const told = `heard [${short}], close ${code}, ${ended}`;
  const codes = sends.closes ?? sends.fails ?? sends.ends;
  // Stricter than Autobahn, which takes a connection that is dropped: the close is always said, and never lost to a reset.
  assert.equal(ended, "closed", told);
  assert.ok(codes === null || codes.includes(code), `${told}; expected ${codes}`);
  const found = Object.entries(sends.heard).find(([, expected]) => expected === null || same(heard, expected));
  assert.ok(found, told);
  return found[0];
}
