import { expect, test } from "vitest";
import type { Entry } from "./outbox.ts";
import { LocalOutbox, MemoryOutbox, type OutboxStore } from "./outbox-store.ts";

/** What a browser gives, for one origin. */
class FakeStorage implements Storage {
  private readonly kept = new Map<string, string>();
  [name: string]: unknown;
  get length(): number {
    return this.kept.size;
  }
  key = (n: number): string | null => [...this.kept.keys()][n] ?? null;
  getItem = (key: string): string | null => this.kept.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.kept.set(key, value);
  removeItem = (key: string): void => void this.kept.delete(key);
  clear = (): void => this.kept.clear();
}

const entry = (messageId: string, order: number, state: Entry["state"] = { kind: "queued" }): Entry => ({
  draft: { roomId: "room", messageId, message: `text of ${messageId}` },
  order,
  state,
});

const stores: [string, () => OutboxStore][] = [
  ["memory", () => new MemoryOutbox()],
  ["local storage", () => new LocalOutbox(new FakeStorage())],
];

test.each(stores)("%s: what is kept comes back as it was, and what is dropped does not", async (_, make) => {
  const store = make();
  const refused = entry("b", 2, { kind: "refused", code: "forbidden", detail: "no" });
  await store.keep("ada", entry("a", 1));
  await store.keep("ada", entry("b", 2));
  await store.keep("ada", refused);
  expect(await store.load("ada")).toEqual([entry("a", 1), refused]);
  await store.drop("ada", "a");
  await store.drop("ada", "never there");
  expect(await store.load("ada")).toEqual([refused]);
});

test.each(stores)("%s: each user's is apart, also where one name begins like another", async (_, make) => {
  const store = make();
  await store.keep("ada", entry("a", 1));
  await store.keep("ad", entry("b", 2));
  expect(await store.load("ada")).toEqual([entry("a", 1)]);
  expect(await store.load("ad")).toEqual([entry("b", 2)]);
  expect(await store.load("bob")).toEqual([]);
  await store.clear("ad");
  expect([await store.load("ad"), await store.load("ada")]).toEqual([[], [entry("a", 1)]]);
});

test("what two tabs keep is all there, and what is none of ours is passed over", () => {
  const storage = new FakeStorage();
  const [one, other] = [new LocalOutbox(storage), new LocalOutbox(storage)];
  one.keep("ada", entry("a", 1));
  other.keep("ada", entry("b", 2));
  storage.setItem("chat.outbox.ada.c", "{");
  storage.setItem("chat.outbox.ada.d", '{"order":1}');
  storage.setItem("chat.outbox.ada.e", "null");
  storage.setItem("chat.outbox.ada.f", JSON.stringify(entry("f", 3, { kind: "written", ref: "1" })));
  storage.setItem("else", "x");
  expect(new LocalOutbox(storage).load("ada")).toEqual([entry("a", 1), entry("b", 2)]);
  one.clear("ada");
  expect(storage.length).toBe(1);
});
