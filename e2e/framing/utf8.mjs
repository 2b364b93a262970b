// Chapter 6 of the Autobahn suite: texts that are UTF-8 and texts that are not. The sequences are those of Markus Kuhn's
// "UTF-8 decoder capability and stress test".
import { answered, cut, failed, frame, message } from "./cases.mjs";
import { CONTINUATION, TEXT } from "./peer.mjs";

const hex = (text) => Buffer.from(text.replaceAll(" ", ""), "hex");
const range = (from, to) => Array.from({ length: to - from }, (_, n) => from + n);
const GREEK = hex("ceba e1bdb9 cf83 cebc ceb5");
const EDITED = hex("656469746564");

const good = (...texts) => texts.map((text) => [true, hex(text)]);
const bad = (...texts) => texts.map((text) => [false, hex(text)]);
const CUT_SHORT = ["c0", "e080", "f08080", "f8808080", "fc80808080", "df", "efbf", "f7bfbf", "fbbfbfbf", "fdbfbfbfbf"];

/** U+nFFFE and U+nFFFF of every plane: no characters, and good UTF-8 (RFC 3629). */
const nonCharacters = range(0, 17).flatMap((plane) => [0xfffe, 0xffff].map((low) => Buffer.from(String.fromCodePoint(plane * 0x10000 + low))));

/** From 6.5 on, each in a message of one frame. */
const SEQUENCES = [
  good("68656c6c6f 24 776f726c64", "68656c6c6f c2a2 776f726c64", "68656c6c6f e282ac 776f726c64", "68656c6c6f f0a4ada2 776f726c64", GREEK.toString("hex")),
  range(1, GREEK.length + 1).map((length) => [[2, 5, 7, 9, 11].includes(length), GREEK.subarray(0, length)]),
  good("00", "c280", "e0a080", "f0908080"),
  bad("f888808080", "fc8480808080"),
  good("7f", "dfbf", "efbfbf", "f48fbfbf"),
  bad("f7bfbfbf", "fbbfbfbfbf", "fdbfbfbfbfbf"),
  [...good("ed9fbf", "ee8080", "efbfbd", "f48fbfbf"), ...bad("f4908080")],
  [...bad("80", "bf", "80bf", "80bf80", "80bf80bf", "80bf80bf80", "80bf80bf80bf"), [false, Buffer.from(range(0x80, 0xbf))]],
  [[0xc0, 0xdf], [0xe0, 0xef], [0xf0, 0xf7], [0xf8, 0xfb], [0xfc, 0xfd]].map(([from, to]) =>
    [false, Buffer.from(range(from, to).flatMap((byte) => [byte, 0x20]))]),
  bad(...CUT_SHORT),
  bad(CUT_SHORT.join("")),
  bad("fe", "ff", "fefeffff"),
  bad("c0af", "e080af", "f08080af", "f8808080af", "fc80808080af"),
  bad("c1bf", "e09fbf", "f08fbfbf", "f887bfbfbf", "fc83bfbfbfbf"),
  bad("c080", "e08080", "f0808080", "f880808080", "fc8080808080"),
  bad("eda080", "edadbf", "edae80", "edafbf", "edb080", "edbe80", "edbfbf"),
  bad("eda080 edb080", "eda080 edbfbf", "edadbf edb080", "edadbf edbfbf", "edae80 edb080", "edae80 edbfbf", "edafbf edb080", "edafbf edbfbf"),
  nonCharacters.map((text) => [true, text]),
  good("efbfb9", "efbfba", "efbfbb", "efbfbc", "efbfbd", "efbfbe", "efbfbf"),
];

/** The second part makes the text invalid; at best the connection fails before the third is sent. */
const failFast = (first, second, third) => ({
  ...failed(1007, [first, { stillOpen: "A" }, second, { stillOpen: "B" }, third]),
  heard: { OK: [["open", "A"]], "NON-STRICT": [["open", "A"], ["open", "B"]] },
});

function inParts() {
  const beyond = Buffer.concat([GREEK, hex("f4908080"), EDITED]);
  const frames = (...ends) => [
    frame(TEXT, beyond.subarray(0, ends[0]), { fin: false }),
    frame(CONTINUATION, beyond.subarray(ends[0], ends[1]), { fin: false }),
    frame(CONTINUATION, beyond.subarray(ends[1])),
  ];
  // One frame whose bytes come in three pieces.
  const pieces = (...ends) => [0, ...ends].map((from, at) => ({ of: frame(TEXT, beyond), from, to: ends[at] }));
  return {
    "6.4.1": failFast(...frames(11, 15)),
    "6.4.2": failFast(...frames(12, 13)),
    "6.4.3": failFast(...pieces(11, 15)),
    "6.4.4": failFast(...pieces(12, 13)),
  };
}

const HELLO = Buffer.from("Hello-µ@ßöäüàá-UTF-8!!");
const SURROGATE = Buffer.concat([GREEK, hex("eda080"), EDITED]);

export const UTF8 = {
  "6.1.1": answered([frame(TEXT)], [message("")]),
  "6.1.2": answered([frame(TEXT, "", { fin: false }), frame(CONTINUATION, "", { fin: false }), frame(CONTINUATION)], [message("")]),
  "6.1.3": answered(
    [frame(TEXT, "", { fin: false }), frame(CONTINUATION, "middle frame payload", { fin: false }), frame(CONTINUATION)],
    [message("middle frame payload")],
  ),
  "6.2.1": answered([frame(TEXT, HELLO)], [message(HELLO)]),
  "6.2.2": answered(cut(TEXT, HELLO, Buffer.byteLength("Hello-µ@ßöä")), [message(HELLO)]),
  "6.2.3": answered(cut(TEXT, HELLO, 1), [message(HELLO)]),
  "6.2.4": answered(cut(TEXT, GREEK, 1), [message(GREEK)]),
  "6.3.1": failed(1007, [frame(TEXT, SURROGATE)]),
  "6.3.2": failed(1007, cut(TEXT, SURROGATE, 1)),
  ...inParts(),
  ...Object.fromEntries(SEQUENCES.flatMap((sequences, chapter) => sequences.map(([valid, text], at) => [
    `6.${chapter + 5}.${at + 1}`,
    valid ? answered([frame(TEXT, text)], [message(text)]) : failed(1007, [frame(TEXT, text)]),
  ]))),
};
