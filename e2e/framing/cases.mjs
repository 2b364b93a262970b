// The cases of the Autobahn WebSocket test suite (github.com/crossbario/autobahn-testsuite) by their numbers: what is sent, what
// has to be heard, and how the connection has to end. Its chapters 12 and 13 are about compression, which is not offered.
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } from "./peer.mjs";

export const frame = (opcode, payload = "", more = {}) => ({ opcode, payload: Buffer.from(payload), fin: true, rsv: 0, ...more });
export const message = (payload, binary = false) => ["message", Buffer.from(payload), binary];
const pong = (payload = "") => ["pong", Buffer.from(payload)];
const bytes = (byte, count) => Buffer.alloc(count, byte);

/** All is answered, then the client closes. */
export const answered = (frames, heard) => ({ frames, heard: { OK: heard }, closes: [1000] });
/** The server fails the connection with this code, at best after it has answered what was right. */
export const failed = (code, frames, heard = []) => ({
  frames, heard: heard.length > 0 ? { OK: heard, "NON-STRICT": [] } : { OK: [] }, fails: [code],
});
/** The client's own close is among the frames; the server answers it with one of these codes. */
const closed = (codes, frames) => ({ frames, heard: { OK: [] }, ends: codes });

export const close = (code, reason = "") => {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return frame(CLOSE, Buffer.concat([head, Buffer.from(reason)]));
};
const parts = (...payloads) => payloads.map((payload, at) =>
  frame(at === 0 ? TEXT : CONTINUATION, payload, { fin: at === payloads.length - 1 }));
const each = (frames, more) => frames.map((one) => ({ ...one, ...more }));
const HELLO = "Hello, world!";
const HARD = Buffer.from("00fffefdfcfb00ff", "hex");
const OCTETS = { chop: 1 };

function messages() {
  const cases = {};
  for (const [chapter, opcode, byte] of [["1.1", TEXT, "*"], ["1.2", BINARY, 0xfe]]) {
    [0, 125, 126, 127, 128, 65_535, 65_536, 65_536].forEach((length, at) => {
      const payload = bytes(byte, length);
      const sent = frame(opcode, payload, at === 7 ? { chop: 997 } : {});
      cases[`${chapter}.${at + 1}`] = answered([sent], [message(payload, opcode === BINARY)]);
    });
  }
  return cases;
}

function pings() {
  const ping = (payload, more) => answered([frame(PING, payload, more)], [pong(payload)]);
  const ten = Array.from({ length: 10 }, (_, n) => `payload-${n}`);
  const all = (more) => answered(ten.map((payload) => frame(PING, payload, more)), ten.map((payload) => pong(payload)));
  return {
    "2.1": ping(""),
    "2.2": ping(HELLO),
    "2.3": ping(HARD),
    "2.4": ping(bytes(0xfe, 125)),
    "2.5": failed(1002, [frame(PING, bytes(0xfe, 126))]),
    "2.6": ping(bytes(0xfe, 125), OCTETS),
    "2.7": answered([frame(PONG)], []),
    "2.8": answered([frame(PONG, "unsolicited pong payload")], []),
    "2.9": answered([frame(PONG, "unsolicited pong payload"), frame(PING, "ping payload")], [pong("ping payload")]),
    "2.10": all({}),
    "2.11": all(OCTETS),
  };
}

/** A good message, then a frame that fails the connection, then a ping that is not answered. */
const spoilt = (bad, more = {}) => failed(1002, each([frame(TEXT, HELLO), bad, frame(PING)], more), [message(HELLO)]);

const reserved = () => ({
  "3.1": failed(1002, [frame(TEXT, HELLO, { rsv: 1 })]),
  "3.2": spoilt(frame(TEXT, HELLO, { rsv: 2 })),
  "3.3": spoilt(frame(TEXT, HELLO, { rsv: 3 })),
  "3.4": spoilt(frame(TEXT, HELLO, { rsv: 4 }), OCTETS),
  "3.5": failed(1002, [frame(BINARY, HARD, { rsv: 5 })]),
  "3.6": failed(1002, [frame(PING, HELLO, { rsv: 6 })]),
  "3.7": failed(1002, [frame(CLOSE, "", { rsv: 7 })]),
  "4.1.1": failed(1002, [frame(3)]),
  "4.1.2": failed(1002, [frame(4, "reserved opcode payload")]),
  "4.1.3": spoilt(frame(5)),
  "4.1.4": spoilt(frame(6, HELLO)),
  "4.1.5": spoilt(frame(7, HELLO), OCTETS),
  "4.2.1": failed(1002, [frame(11)]),
  "4.2.2": failed(1002, [frame(12, "reserved opcode payload")]),
  "4.2.3": spoilt(frame(13)),
  "4.2.4": spoilt(frame(14, HELLO)),
  "4.2.5": spoilt(frame(15, HELLO), OCTETS),
});

function fragments() {
  const two = parts("fragment1", "fragment2");
  const whole = [message("fragment1fragment2")];
  const between = [two[0], frame(PING, "ping payload"), two[1]];
  const heard = [pong("ping payload"), ...whole];
  const nothing = (fin) => [frame(CONTINUATION, "non-continuation payload", { fin }), frame(TEXT, HELLO)];
  const twice = (fin) => Array(2).fill([frame(CONTINUATION, "fragment1", { fin }), ...parts("fragment2", "fragment3")]).flat();
  const five = parts("fragment1", "fragment2", "fragment3", "fragment4", "fragment5");
  const slow = [five[0], five[1], frame(PING, "pongme 1!"), { until: 1 }, five[2], five[3], frame(PING, "pongme 2!"), five[4]];
  const slowly = [pong("pongme 1!"), pong("pongme 2!"), message("fragment1fragment2fragment3fragment4fragment5")];
  return {
    "5.1": failed(1002, [frame(PING, "fragment1", { fin: false }), two[1]]),
    "5.2": failed(1002, [frame(PONG, "fragment1", { fin: false }), two[1]]),
    "5.3": { ...answered(two, whole), joined: true },
    "5.4": answered(two, whole),
    "5.5": answered(each(two, OCTETS), whole),
    "5.6": { ...answered(between, heard), joined: true },
    "5.7": answered(between, heard),
    "5.8": answered(each(between, OCTETS), heard),
    "5.9": { ...failed(1002, nothing(true)), joined: true },
    "5.10": failed(1002, nothing(true)),
    "5.11": failed(1002, each(nothing(true), OCTETS)),
    "5.12": { ...failed(1002, nothing(false)), joined: true },
    "5.13": failed(1002, nothing(false)),
    "5.14": failed(1002, each(nothing(false), OCTETS)),
    "5.15": {
      ...failed(1002, [...two, frame(CONTINUATION, "fragment3", { fin: false }), frame(TEXT, "fragment4")], whole), joined: true,
    },
    "5.16": failed(1002, twice(false)),
    "5.17": failed(1002, twice(true)),
    "5.18": failed(1002, [two[0], frame(TEXT, "fragment2")]),
    "5.19": answered(slow, slowly),
    "5.20": answered(each(slow, OCTETS), slowly),
  };
}

const INVALID = Buffer.from("cebae1bdb9cf83cebcceb5eda080656469746564", "hex");

function closes() {
  const cases = {
    "7.1.1": answered([frame(TEXT, "Hello World!")], [message("Hello World!")]),
    "7.1.2": closed([1000], [close(1000), frame(CLOSE)]),
    "7.1.3": closed([1000], [close(1000), frame(PING)]),
    "7.1.4": closed([1000], [close(1000), frame(TEXT, "Hello World!")]),
    "7.1.5": closed([1000], [parts("fragment1", "")[0], close(1000), frame(CONTINUATION, "fragment2")]),
    "7.1.6": {
      ...closed([1000], [frame(TEXT, bytes("BAsd7&jh23", 262_144)), frame(TEXT, "Hello World!"), close(1000), frame(PING)]),
      heard: { INFORMATIONAL: null }, joined: true,
    },
    "7.3.1": closed([1000, 1005], [frame(CLOSE)]),
    "7.3.2": closed([1002], [frame(CLOSE, "a")]),
    "7.3.3": closed([1000], [close(1000)]),
    "7.3.4": closed([1000], [close(1000, "Hello World!")]),
    "7.3.5": closed([1000], [close(1000, "*".repeat(123))]),
    "7.3.6": closed([1002], [close(1000, "*".repeat(124))]),
    "7.5.1": closed([1002, 1007], [close(1000, INVALID)]),
    "7.13.1": { ...closed(null, [close(5000)]), heard: { INFORMATIONAL: null } },
    "7.13.2": { ...closed(null, [close(65_535)]), heard: { INFORMATIONAL: null } },
  };
  [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999].forEach((code, at) => {
    cases[`7.7.${at + 1}`] = closed([1000, code], [close(code)]);
  });
  [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999].forEach((code, at) => {
    cases[`7.9.${at + 1}`] = closed([1002], [close(code)]);
  });
  return cases;
}

const LONG = bytes("*", 65_536);
export const cut = (opcode, payload, size) => {
  const frames = [];
  for (let at = 0; at < payload.length; at += size) {
    const fin = at + size >= payload.length;
    frames.push({ opcode: at === 0 ? opcode : CONTINUATION, payload: payload.subarray(at, at + size), fin, rsv: 0 });
  }
  return frames;
};

export const CASES = {
  ...messages(), ...pings(), ...reserved(), ...fragments(), ...closes(),
  "10.1.1": { ...answered(cut(TEXT, LONG, 1_300), [message(LONG)]), joined: true },
};

/** What 12 and 13 offer, with how many cases are made of it. */
const offer = (bits, takeover) => ["permessage-deflate", "client_no_context_takeover", "client_max_window_bits",
  ...(takeover ? ["server_no_context_takeover"] : []), ...(bits ? [`server_max_window_bits=${bits}`] : [])].join("; ");
export const NOT_OFFERED = {
  ...Object.fromEntries([1, 2, 3, 4, 5].map((chapter) => [`12.${chapter}`, offer()])),
  "13.1": offer(), "13.2": offer(0, true), "13.3": offer(9), "13.4": offer(15), "13.5": offer(9, true), "13.6": offer(15, true),
  "13.7": [offer(9, true), offer(0, true), offer()].join(", "),
};
export const CASES_OF_EACH = 18;
