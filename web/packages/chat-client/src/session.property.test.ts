// A session over weeks: ten tabs, answers that are lost, tabs that close, requests that come twice, servers whose clocks
// differ. Nobody is logged out who is no thief, and every thief ends the session.
import fc from "fast-check";
import { expect, test } from "vitest";
import { inMemory, type Environment } from "./environment.ts";
import { Account } from "./session.ts";

const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000];
const TABS = 10;

/** The contract's section 2, read anew: the server's side of one session. Tokens are the numbers of their rotations. */
class Server {
  time = 1_700_000_000_000;
  revoked = false;
  private unspent = 0;
  spentAt = this.time;
  private readonly firstUses = new Map<number, { key: string | undefined; at: number }>();

  /** The token that it gives, or nothing for 401. The clock of the database that answers now may be another one. */
  refresh(token: number, key: string | undefined, skew: number): number | undefined {
    const now = this.time + skew;
    if (this.revoked || now - this.spentAt > 30 * DAY) return undefined;
    if (token === this.unspent) {
      this.firstUses.set(token, { key, at: now });
      this.spentAt = now;
      this.unspent += 1;
      return this.unspent;
    }
    const first = this.firstUses.get(token);
    const own = key !== undefined && key === first?.key;
    if (token === this.unspent - 1) {
      // However late.
      if (own) return this.unspent;
      if (key === undefined && first?.key === undefined && now - this.spentAt <= 10 * SECOND)
        return this.unspent;
    } else if (own && now - first.at < DAY) return undefined;
    this.revoked = true;
    return undefined;
  }
}

interface Asked {
  token: number;
  key: string;
  /** When the token was first asked with. */
  at: number;
}

/** A browser: tabs that share a cookie, a storage and a lock. */
class Browser {
  readonly server = new Server();
  readonly asked: Asked[] = [];
  cookie = 0;
  fate: "answered" | "unheard" | "unanswered" = "answered";
  skew = 0;
  private readonly environment: Environment;
  private readonly tabs: Account[];

  constructor() {
    const fetch = ((_: string, { headers }: { headers: Record<string, string> }) =>
      this.fetched(headers["idempotency-key"] ?? "")) as unknown as typeof globalThis.fetch;
    const clock = { now: () => this.server.time, after: () => () => undefined };
    this.environment = inMemory({ origin: "", fetch, clock, tokenDelivery: "cookie" });
    this.environment.storage.setItem("chat.signed-in", "yes");
    this.tabs = Array.from({ length: TABS }, () => new Account(this.environment));
  }

  private fetched(key: string): Promise<Response> {
    if (this.fate === "unheard") return Promise.reject(new TypeError("lost"));
    const at = this.asked.find(({ token }) => token === this.cookie)?.at ?? this.server.time;
    this.asked.push({ token: this.cookie, key, at });
    const next = this.server.refresh(this.cookie, key, this.skew);
    if (this.fate === "unanswered") return Promise.reject(new TypeError("lost"));
    if (next === undefined)
      return Promise.resolve(Response.json({ code: "unauthenticated" }, { status: 401 }));
    this.cookie = next;
    return Promise.resolve(Response.json({ user: { id: "u" }, accessToken: `a${next}`, expiresIn: 600 }));
  }

  /** A tab wants an access token, whatever it has; whether it got one. */
  async wants(tab: number): Promise<boolean> {
    const account = this.tabs[tab % TABS] as Account;
    try {
      account.doubt(await account.accessToken());
      await account.accessToken();
      return true;
    } catch {
      return false;
    }
  }

  /** A tab is closed, and another one opened in its place. */
  reopen(tab: number): void {
    this.tabs[tab % TABS] = new Account(this.environment);
  }

  /** Something between here and there sends a request once more, of a token that was spent within the day. */
  again(n: number): void {
    const young = this.asked.filter(({ at }) => this.server.time - at < DAY - MINUTE);
    const old = young[n % young.length];
    if (old) this.server.refresh(old.token, old.key, this.skew);
  }
}

const step = fc.record({
  what: fc.constantFrom(
    "wants",
    "wants",
    "wants",
    "unheard",
    "unanswered",
    "reopen",
    "again",
    "wait",
    "wait",
  ),
  n: fc.nat(1_000),
  wait: fc.constantFrom(SECOND, 10 * SECOND, 30 * SECOND, 11 * MINUTE, 5 * HOUR, 23 * HOUR, 3 * DAY, 9 * DAY),
  skew: fc.integer({ min: -5 * SECOND, max: 5 * SECOND }),
});

/** Whoever is not answered keeps asking, and the session lives through all of it. */
async function live(
  steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
): Promise<Browser> {
  const browser = new Browser();
  for (const { what, n, wait, skew } of steps) {
    browser.skew = skew;
    browser.fate = what === "unheard" || what === "unanswered" ? what : "answered";
    if (what === "wait") {
      // Who does not come back for a month is logged out.
      const away = browser.server.time + wait - browser.server.spentAt;
      if (away < 29 * DAY) browser.server.time += wait;
    } else if (what === "again") browser.again(n);
    else {
      if (what === "reopen") browser.reopen(n);
      const got = await browser.wants(n);
      if (browser.fate === "answered")
        expect(got, `${what} after ${browser.asked.length} refreshes`).toBe(true);
    }
    expect(browser.server.revoked).toBe(false);
  }
  return browser;
}

test("1,000 sessions of ten tabs: nobody is logged out", { timeout: 120_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      await live(steps);
    }),
    { numRuns: 1_000 },
  );
});

test(
  "whoever uses a spent token otherwise than its first use ends the session",
  { timeout: 120_000 },
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 40 }),
        fc.constantFrom(undefined, "the key of a thief"),
        fc.nat(100),
        async (steps, key, n) => {
          const browser = await live(steps);
          browser.fate = "answered";
          await browser.wants(0);
          const stolen = n % browser.cookie;
          expect(browser.server.refresh(stolen, key, 0)).toBeUndefined();
          expect(browser.server.revoked).toBe(true);
          expect(await browser.wants(1)).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  },
);
