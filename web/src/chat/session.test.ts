import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Account } from "./session";

/** What the browser gives: a store and a lock that all tabs share. */
function browser(): Map<string, string> {
  const store = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => store.get(key) ?? null,
    setItem: (key: string, value: string) => store.set(key, value),
    removeItem: (key: string) => store.delete(key),
  });
  let last: Promise<unknown> = Promise.resolve();
  const request = <T>(_: string, work: () => Promise<T>): Promise<T> => {
    const mine = last.then(work, work);
    last = mine;
    return mine;
  };
  vi.stubGlobal("navigator", { locks: { request } });
  return store;
}

const session = (accessToken: string): Response =>
  Response.json({ user: { id: "u" }, accessToken, expiresIn: 600 });
const refusal = (status: number): Response =>
  Response.json({ code: "unauthenticated", detail: "no" }, { status });
const keyOf = (call: unknown[] | undefined): string | undefined =>
  (call?.[1] as { headers: Record<string, string> }).headers["idempotency-key"];

let store: Map<string, string>;
const server = vi.fn<(...call: unknown[]) => Promise<Response>>();
beforeEach(() => {
  store = browser();
  store.set("chat.signed-in", "yes");
  server.mockReset();
  vi.stubGlobal("fetch", server);
});
afterEach(() => vi.unstubAllGlobals());

test("a lost answer is asked for again under the same key, which a success forgets", async () => {
  server.mockRejectedValueOnce(new TypeError("gone"));
  const account = new Account();
  await expect(account.accessToken()).rejects.toMatchObject({ code: "unreachable" });
  expect(store.get("chat.refresh-key")).toBe(keyOf(server.mock.calls[0]));
  server.mockResolvedValueOnce(session("a"));
  expect(await account.accessToken()).toBe("a");
  expect(keyOf(server.mock.calls[1])).toBe(keyOf(server.mock.calls[0]));
  expect(store.has("chat.refresh-key")).toBe(false);
});

test("many who ask at once cause one refresh, and two tabs come one after the other", async () => {
  let open = 0;
  server.mockImplementation(async () => {
    expect(++open).toBe(1);
    await Promise.resolve();
    open -= 1;
    return session("a");
  });
  const [one, other] = [new Account(), new Account()];
  await Promise.all([one.accessToken(), one.accessToken(), other.accessToken()]);
  expect(server).toHaveBeenCalledTimes(2);
  expect(keyOf(server.mock.calls[0])).not.toBe(keyOf(server.mock.calls[1]));
});

test("a refused token is replaced once, and a refused refresh says that the session is over", async () => {
  server.mockResolvedValueOnce(session("old"));
  const account = new Account();
  await account.accessToken();
  server.mockResolvedValueOnce(refusal(401)).mockResolvedValueOnce(session("new"));
  server.mockResolvedValueOnce(Response.json({ fine: true }));
  expect(await account.ask("/api/me")).toEqual({ fine: true });
  account.doubt("old");
  expect(await account.accessToken()).toBe("new");
  account.doubt("new");
  server.mockResolvedValueOnce(refusal(401));
  expect(await account.resume()).toBe(false);
});

test("nobody is asked when nobody was signed in", async () => {
  store.clear();
  expect(await new Account().resume()).toBe(false);
  expect(server).not.toHaveBeenCalled();
});
