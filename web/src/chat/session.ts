// Who is signed in. The access token lives in memory alone; the refresh token is a cookie that no script sees.
import { Problem, request, type Credentials, type Session, type User } from "./http";

const KEY = "chat.refresh-key";
const SIGNED_IN = "chat.signed-in";
/** An access token is renewed so long before it ends. */
const EARLY_MS = 60_000;

/**
 * Spends the refresh token, one use at a time over all tabs. The key is stored before it is sent and shared by the tabs,
 * so that a lost answer is made good by the next try; a success forgets it.
 */
async function refresh(): Promise<Session> {
  return navigator.locks.request("chat.refresh", async () => {
    const key = localStorage.getItem(KEY) ?? crypto.randomUUID();
    localStorage.setItem(KEY, key);
    const session = await request<Session>("/auth/refresh", {
      method: "POST",
      headers: { "idempotency-key": key },
    });
    localStorage.removeItem(KEY);
    return session;
  });
}

export class Account {
  user: User | undefined;
  private token: { text: string; until: number } | undefined;
  private renewing: Promise<string> | undefined;

  /** Takes up the session of an earlier visit, if there is one. */
  async resume(): Promise<boolean> {
    if (!localStorage.getItem(SIGNED_IN)) return false;
    try {
      await this.accessToken();
      return true;
    } catch (error) {
      if (error instanceof Problem && error.status === 401) return false;
      throw error;
    }
  }

  async enter(route: "login" | "register", credentials: Credentials): Promise<void> {
    this.keep(await request<Session>(`/auth/${route}`, { method: "POST", body: credentials }));
    // A key of an earlier session says nothing about this one's token.
    localStorage.removeItem(KEY);
  }

  async leave(): Promise<void> {
    await request("/auth/logout", { method: "POST" });
    this.forget();
  }

  forget(): void {
    this.user = undefined;
    this.token = undefined;
    localStorage.removeItem(SIGNED_IN);
    localStorage.removeItem(KEY);
  }

  /** A token that is good for a while yet. */
  async accessToken(): Promise<string> {
    if (this.token && Date.now() < this.token.until - EARLY_MS) return this.token.text;
    this.renewing ??= refresh()
      .then((session) => this.keep(session))
      .finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  /** Lets go of a token that was refused, unless it was replaced meanwhile: the refresh tells whether the session stands. */
  doubt(token: string): void {
    if (this.token?.text === token) this.token = undefined;
  }

  /** Asks the server whether it still takes the token; one that it cannot judge now stays. */
  async check(token: string): Promise<void> {
    try {
      await request("/auth/verify", { token });
    } catch (error) {
      if (error instanceof Problem && error.status === 401) this.doubt(token);
    }
  }

  /** Milliseconds until a new access token should be had. */
  renewIn(): number {
    return Math.max(0, (this.token?.until ?? 0) - EARLY_MS - Date.now());
  }

  /** A request in the user's name. */
  async ask<T>(path: string, method = "GET", body?: unknown): Promise<T> {
    const token = await this.accessToken();
    try {
      return await request<T>(path, { method, body, token });
    } catch (error) {
      if (!(error instanceof Problem && error.status === 401)) throw error;
      this.doubt(token);
      return request<T>(path, { method, body, token: await this.accessToken() });
    }
  }

  private keep(session: Session): string {
    this.user = session.user;
    this.token = { text: session.accessToken, until: Date.now() + session.expiresIn * 1000 };
    localStorage.setItem(SIGNED_IN, "yes");
    return session.accessToken;
  }
}
