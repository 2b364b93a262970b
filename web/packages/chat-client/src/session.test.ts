import { beforeEach, expect, test, vi } from "vitest";
import { inMemory, type Environment } from "./environment.ts";
import { Account } from "./session.ts";

const session = (accessToken: string, id = "u", refreshToken?: string): Response =>
  Response.json({ user: { id }, accessToken, expiresIn: 600, refreshToken });
const refusal = (status: number): Response =>
  Response.json({ code: "unauthenticated", detail: "no" }, { status });

type Call = [path: string, request: { headers: Record<string, string>; body?: string }];
const server = vi.fn<(...call: Call) => Promise<Response>>();
const headersOf = (n: number): Record<string, string> => server.mock.calls[n]?.[1].headers ?? {};
const keyOf = (n: number): string | undefined => headersOf(n)["idempotency-key"];

/** One store and one lock: what the tabs of a browser share. */
let browser: Environment;
const kept = (name: string): string | null => browser.storage.getItem(name);
beforeEach(() => {
  server.mockReset();
  const fetch = server as unknown as typeof globalThis.fetch;
  browser = inMemory({ origin: "", fetch, tokenDelivery: "cookie" });
  browser.storage.setItem("chat.signed-in", "yes");
});

test("a lost answer is asked for again under the same key, which a success forgets", async () => {
  server.mockRejectedValueOnce(new TypeError("gone"));
  const account = new Account(browser);
  await expect(account.accessToken()).rejects.toMatchObject({ code: "unreachable" });
  expect(kept("chat.refresh-key")).toBe(keyOf(0));
  server.mockResolvedValueOnce(session("a"));
  expect(await account.accessToken()).toBe("a");
  expect(keyOf(1)).toBe(keyOf(0));
  expect(kept("chat.refresh-key")).toBe(null);
});

test("many who ask at once cause one refresh, and two tabs come one after the other", async () => {
  let open = 0;
  server.mockImplementation(async () => {
    expect(++open).toBe(1);
    await Promise.resolve();
    open -= 1;
    return session("a");
  });
  const [one, other] = [new Account(browser), new Account(browser)];
  await Promise.all([one.accessToken(), one.accessToken(), other.accessToken()]);
  expect(server).toHaveBeenCalledTimes(2);
  expect(keyOf(0)).not.toBe(keyOf(1));
});

test("a refused token is replaced once, and a refused refresh says that the session is over", async () => {
  server.mockResolvedValueOnce(session("old"));
  const account = new Account(browser);
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
  browser.storage.removeItem("chat.signed-in");
  expect(await new Account(browser).resume()).toBe(false);
  expect(server).not.toHaveBeenCalled();
});

test("a program spends its refresh token by the body, and the next one takes its place", async () => {
  const program = { ...browser, tokenDelivery: "body" as const };
  server.mockResolvedValueOnce(session("a", "u", "first"));
  const account = new Account(program);
  await account.enter("login", { username: "u", password: "p" });
  expect(JSON.parse(server.mock.calls[0]?.[1].body ?? "")).toMatchObject({ tokenDelivery: "body" });
  for (const [spent, next] of [
    ["first", "second"],
    ["second", "third"],
  ] as const) {
    account.doubt(await account.accessToken());
    server.mockResolvedValueOnce(session("b", "u", next));
    await account.accessToken();
    expect(JSON.parse(server.mock.lastCall?.[1].body ?? "")).toEqual({ refreshToken: spent });
  }
});

test("a session that is another user's by now is not this one's", async () => {
  server.mockResolvedValueOnce(session("a", "ada"));
  const account = new Account(browser);
  await account.accessToken();
  account.doubt("a");
  server.mockResolvedValueOnce(session("b", "bob"));
  await expect(account.ask("/api/rooms")).rejects.toMatchObject({ status: 401, code: "another-user" });
  expect(account.user).toMatchObject({ id: "ada" });
  expect(kept("chat.refresh-key")).toBe(null);
  account.part();
  server.mockResolvedValueOnce(session("c", "bob"));
  expect(await account.resume()).toBe(true);
  expect(account.user).toMatchObject({ id: "bob" });
});

test("who has written shows what it has seen", async () => {
  server.mockResolvedValueOnce(session("a"));
  const account = new Account(browser);
  server.mockResolvedValueOnce(Response.json({}, { headers: { "chat-seen": "7" } }));
  await account.ask("/api/rooms", "POST", {});
  server.mockImplementation(async () => Response.json({}));
  await account.ask("/api/rooms");
  await account.ask("/api/rooms");
  expect([1, 2, 3].map((n) => headersOf(n)["chat-seen"])).toEqual([undefined, "7", "7"]);
});

test("what one user asked is not asked again with the next one's token", async () => {
  server.mockResolvedValueOnce(session("a", "ada"));
  const account = new Account(browser);
  await account.accessToken();
  let refuse: (response: Response) => void = () => undefined;
  server.mockReturnValueOnce(new Promise((resolve) => (refuse = resolve)));
  const asked = account.ask("/api/rooms", "POST", {});
  await Promise.resolve();
  account.forget();
  server.mockResolvedValueOnce(session("b", "bob"));
  await account.enter("login", { username: "bob", password: "p" });
  refuse(refusal(401));
  await expect(asked).rejects.toMatchObject({ code: "another-user" });
  expect(server).toHaveBeenCalledTimes(3);
});
