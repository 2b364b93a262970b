// Chapter 9 of the Autobahn suite: large messages, whole, in fragments and in small writes, and many small ones in turn.
import { answered, cut, frame, message } from "./cases.mjs";
import { BINARY, TEXT } from "./peer.mjs";

const [KI, MI] = [1024, 1024 * 1024];
const filled = (filling, length) => Buffer.alloc(length, filling);
const KINDS = { text: [TEXT, "BAsd7&jh23"], binary: [BINARY, Buffer.from("00fe23faf0", "hex")] };

const echoed = (opcode, payload, frames) => ({ ...answered(frames, [message(payload, opcode === BINARY)]), joined: true });

function whole(chapter, [opcode, filling]) {
  return [64 * KI, 256 * KI, MI, 4 * MI, 8 * MI, 16 * MI].map((length, at) => {
    const payload = filled(filling, length);
    return [`${chapter}.${at + 1}`, () => echoed(opcode, payload, [frame(opcode, payload)])];
  });
}

function fragmented(chapter, opcode, filling) {
  return [64, 256, KI, 4 * KI, 16 * KI, 64 * KI, 256 * KI, MI, 4 * MI].map((size, at) => {
    const payload = () => filled(filling, 4 * MI);
    return [`${chapter}.${at + 1}`, () => echoed(opcode, payload(), cut(opcode, payload(), size))];
  });
}

function chopped(chapter, [opcode, filling]) {
  return [64, 128, 256, 512, KI, 2 * KI].map((chop, at) => {
    const payload = () => filled(filling, MI);
    return [`${chapter}.${at + 1}`, () => answered([frame(opcode, payload(), { chop })], [message(payload(), opcode === BINARY)])];
  });
}

function inTurn(chapter, opcode, filling) {
  return [0, 16, 64, 256, KI, 4 * KI].map((length, at) => {
    const payload = filled(filling, length);
    const turn = [frame(opcode, payload), { untilAnswered: true }];
    const answers = Array(1_000).fill(message(payload, opcode === BINARY));
    return [`${chapter}.${at + 1}`, () => answered(Array(1_000).fill(turn).flat(), answers)];
  });
}

/** Each is made when its turn comes, so that only one is in memory. */
export const LARGE = Object.fromEntries([
  ...whole("9.1", KINDS.text), ...whole("9.2", KINDS.binary),
  ...fragmented("9.3", TEXT, "*"), ...fragmented("9.4", BINARY, 0xfe),
  ...chopped("9.5", KINDS.text), ...chopped("9.6", KINDS.binary),
  ...inTurn("9.7", TEXT, "*"), ...inTurn("9.8", BINARY, 0xfe),
]);
