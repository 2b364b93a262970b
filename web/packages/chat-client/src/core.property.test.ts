import fc from "fast-check";
import { expect, test } from "vitest";
import { changed, isChange, said, type LogMessage } from "./fold.ts";
import { Bench, ME, ROOM } from "./testing.ts";
import { isDurable } from "./wire.ts";

/** Milliseconds: what runs beside the schedules must not decide. */
const PATIENCE = 120_000;

/** What the server's log says, folded in the plainest way. */
function truth(bench: Bench, from: number, head: number): LogMessage[] {
  const messages = new Map<string, LogMessage>();
  for (const event of bench.server.page(0, head)) {
    if (event.type === "message") messages.set(event.messageId, said(event));
    const message = isChange(event) ? messages.get(event.messageId) : undefined;
    if (message && isChange(event)) messages.set(event.messageId, changed(message, event));
  }
  return [...messages.values()].filter((message) => message.seq >= from);
}

/** What has to be true after every step. */
function holds(bench: Bench, written: readonly string[]): void {
  const { logs, outbox } = bench.core.state;
  const log = logs[ROOM];
  if (log) expect(log.messages).toEqual(truth(bench, log.from, log.head));
  for (const messageId of written) {
    const shown = log?.messages.filter((message) => message.messageId === messageId).length ?? 0;
    const waiting = outbox.entries.filter((entry) => entry.draft.messageId === messageId).length;
    expect(shown + waiting).toBeLessThanOrEqual(1);
    const event = bench.server.events.find(
      (event) => event.type === "message" && event.messageId === messageId,
    );
    const older = event !== undefined && (!log || event.seq < log.from);
    // What is stored or committed is not lost, and what has no place that is shown is shown as waiting.
    if (!older) expect(shown + waiting).toBe(1);
    if (!event) expect(bench.store.has(messageId)).toBe(true);
  }
}

const often = ["write", "work", "publish", "hear", "write", "work", "publish", "hear", "hear", "wake"];
const faults = ["away", "silent", "well", "well", "fetch", "fetch-short", "fetch-failed"];
const looks = ["say", "change", "older"];
const steps = (...what: string[]) =>
  fc.array(fc.record({ what: fc.constantFrom(...what), n: fc.nat(1_000) }), {
    minLength: 20,
    maxLength: 300,
  });
/** Lines that end, pages that close, and frames that go wrong as no socket that keeps the contract lets them. */
const rough = steps(
  ...often,
  ...faults,
  ...looks,
  "connect",
  "connect",
  "cut",
  "reload",
  "drop",
  "repeat",
  "swap",
);
/** One socket that lasts: what a client has to do by itself, as no new one makes good for it. */
const lasting = steps(
  ...often,
  ...often,
  ...often,
  ...faults,
  ...looks,
  "drop-event",
  "repeat",
  "swap-events",
);

function step(bench: Bench, what: string, n: number, written: string[]): void {
  const { server } = bench;
  const queue = server.toClient;
  const other = { senderId: "you", senderName: "You", sentAt: "now" };
  switch (what) {
    case "write": {
      const messageId = `mine-${written.length}`;
      written.push(messageId);
      return bench.run(bench.core.submit({ roomId: ROOM, messageId, message: `text ${messageId}` }));
    }
    case "say":
      return void server.append({
        ...other,
        type: "message",
        messageId: `other-${server.events.length}`,
        message: "x",
      });
    case "change":
      return change(bench, n);
    case "work":
      return server.work();
    case "publish":
      return server.publish();
    case "hear":
      return bench.hear();
    case "wake":
      return bench.wake();
    case "fetch":
      return bench.answerFetch("well");
    case "fetch-short":
      return bench.answerFetch("short");
    case "fetch-failed":
      return bench.answerFetch("failed");
    case "older":
      return bench.older(n % 7);
    case "connect":
      return bench.connect();
    case "cut":
      return bench.cut();
    case "reload":
      return bench.reload();
    case "drop":
      return void queue.splice(n % Math.max(1, queue.length), 1);
    case "repeat":
      return void queue.push(
        ...queue.slice(n % Math.max(1, queue.length), (n % Math.max(1, queue.length)) + 1),
      );
    case "swap":
      return void queue.push(...queue.splice(0, 1));
    case "drop-event":
      return void (queue[0] && isDurable(queue[0]) && queue.shift());
    case "swap-events":
      return void (queue.every(isDurable) && queue.push(...queue.splice(0, 1)));
    case "away":
      server.core = "away";
      return;
    case "silent":
      server.core = "commits-silently";
      return;
    default:
      server.core = "well";
  }
}

function change({ server }: Bench, n: number): void {
  const messages = server.events.filter((event) => event.type === "message");
  const message = messages[n % Math.max(1, messages.length)];
  if (!message) return;
  const { messageId } = message;
  if (n % 4 === 0) server.append({ type: "edited", messageId, message: `edit ${n}`, editedAt: "now" });
  else if (n % 11 === 0) server.append({ type: "deleted", messageId, deletedBy: "you", deletedAt: "now" });
  else {
    const op = n % 3 ? ("added" as const) : ("removed" as const);
    server.append({ type: "reaction", messageId, userId: `u${n % 2}`, emoji: "+", op });
  }
}

function play(steps: readonly { what: string; n: number }[], bench: Bench): string[] {
  const written: string[] = [];
  for (const { what, n } of steps) {
    step(bench, what, n, written);
    holds(bench, written);
  }
  return written;
}

/** Everything is where it belongs, in the order in which it was written. */
function complete(bench: Bench, written: readonly string[]): void {
  bench.settle();
  holds(bench, written);
  const own = bench.server.events.flatMap((event) =>
    event.type === "message" && event.senderId === ME.id ? [event.messageId] : [],
  );
  expect(own).toEqual(written);
  expect(bench.core.state.outbox.entries).toEqual([]);
  expect(bench.store.size).toBe(0);
  bench.older(10_000);
  expect(bench.core.state.logs[ROOM]?.messages).toEqual(truth(bench, 1, bench.server.events.length));
}

test(
  "whatever the line and the server do: no gap, no repeat, and every own message once",
  () => {
    fc.assert(
      fc.property(rough, (steps) => {
        const bench = new Bench();
        const written = play(steps, bench);
        bench.cut();
        bench.connect();
        complete(bench, written);
      }),
      { numRuns: 1_000 },
    );
  },
  PATIENCE,
);

test(
  "on a socket that lasts, a client makes good by itself for what went wrong",
  () => {
    fc.assert(
      fc.property(lasting, (steps) => {
        const bench = new Bench();
        bench.connect();
        const written = play(steps, bench);
        // The last frame of all may be the one that is missing; only another tells.
        step(bench, "say", 0, written);
        complete(bench, written);
      }),
      { numRuns: 1_000 },
    );
  },
  PATIENCE,
);
