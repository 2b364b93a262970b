// Who is signed in. The access token lives in memory alone; in a browser the refresh token is a cookie that no script sees.
import type { Environment } from "./environment.ts";
import { Problem, isOver, request, type Credentials, type Session, type User } from "./http.ts";
import { TOKEN_EARLY_MS } from "./limits.ts";

const KEY = "chat.refresh-key";
const SIGNED_IN = "chat.signed-in";
const REFRESH_TOKEN = "chat.refresh-token";

/** Another tab's user has taken the browser's session over: the one of before has none any more. */
export class AnotherUser extends Problem {
  constructor() {
    super(401, "another-user", "Somebody else has signed in.");
  }
}

export class Account {
  user: User | undefined;
  private token: { text: string; until: number } | undefined;
  private renewing: Promise<string> | undefined;
  /** What this client has written is in every answer to whoever shows this. */
  private seen: string | undefined;

  /** @param stale told of each answer that was given without a leader, so that it may lack what was acknowledged last */
  constructor(
    private readonly environment: Environment,
    private readonly stale: () => void = () => undefined,
  ) {}

  /** Takes up the session of an earlier visit, if there is one. */
  async resume(): Promise<boolean> {
    if (!this.environment.storage.getItem(SIGNED_IN)) return false;
    try {
      await this.accessToken();
      return true;
    } catch (error) {
      if (isOver(error)) return false;
      throw error;
    }
  }

  async enter(route: "login" | "register", credentials: Credentials): Promise<void> {
    const { storage, tokenDelivery } = this.environment;
    const body = { ...credentials, tokenDelivery };
    const session = await request<Session>(this.environment, `/auth/${route}`, { method: "POST", body });
    this.user = undefined;
    this.keep(session);
    // A key of an earlier session says nothing about this one's token.
    storage.removeItem(KEY);
  }

  async leave(): Promise<void> {
    try {
      const token = this.environment.tokenDelivery === "body" ? await this.accessToken() : undefined;
      await request(this.environment, "/auth/logout", { method: "POST", ...(token ? { token } : {}) });
    } catch (error) {
      if (!isOver(error)) throw error;
    }
    this.forget();
  }

  /** This session is over, for all that share the storage. */
  forget(): void {
    this.part();
    [SIGNED_IN, KEY, REFRESH_TOKEN].forEach((key) => this.environment.storage.removeItem(key));
  }

  /** Lets go of the user alone: the storage is somebody else's by now. */
  part(): void {
    this.user = undefined;
    this.token = undefined;
    this.seen = undefined;
  }

  /** A token that is good for a while yet. */
  async accessToken(): Promise<string> {
    if (this.token && this.environment.clock.now() < this.token.until - TOKEN_EARLY_MS)
      return this.token.text;
    this.renewing ??= this.refresh().finally(() => (this.renewing = undefined));
    return this.renewing;
  }

  /**
   * Spends the refresh token, one use at a time over all tabs. The key is stored before it is sent and shared by the tabs,
   * so that a lost answer is made good by the next try; a success forgets it.
   */
  private refresh(): Promise<string> {
    const { storage, lock } = this.environment;
    return lock("chat.refresh", async () => {
      const key = storage.getItem(KEY) ?? crypto.randomUUID();
      storage.setItem(KEY, key);
      const refreshToken = storage.getItem(REFRESH_TOKEN);
      const session = await request<Session>(this.environment, "/auth/refresh", {
        method: "POST",
        headers: { "idempotency-key": key },
        ...(refreshToken ? { body: { refreshToken } } : {}),
      });
      try {
        return this.keep(session);
      } finally {
        storage.removeItem(KEY);
      }
    });
  }

  /** Lets go of a token that was refused, unless it was replaced meanwhile: the refresh tells whether the session stands. */
  doubt(token: string): void {
    if (this.token?.text === token) this.token = undefined;
  }

  /** Asks the server whether it still takes the token; one that it cannot judge now stays. */
  async check(token: string): Promise<void> {
    try {
      await request(this.environment, "/auth/verify", { token });
    } catch (error) {
      if (isOver(error)) this.doubt(token);
    }
  }

  /** Milliseconds until a new access token should be had. */
  renewIn(): number {
    return Math.max(0, (this.token?.until ?? 0) - TOKEN_EARLY_MS - this.environment.clock.now());
  }

  /** A request in the user's name. */
  async ask<T>(path: string, method = "GET", body?: unknown): Promise<T> {
    const whose = this.user;
    const token = await this.accessToken();
    try {
      return await this.once<T>(path, method, body, token);
    } catch (error) {
      if (!isOver(error)) throw error;
      this.doubt(token);
      const next = await this.accessToken();
      if (whose && this.user?.id !== whose.id) throw new AnotherUser();
      return this.once<T>(path, method, body, next);
    }
  }

  private once<T>(path: string, method: string, body: unknown, token: string): Promise<T> {
    return request<T>(this.environment, path, {
      ...{ method, body, token },
      headers: this.seen ? { "chat-seen": this.seen } : {},
      answered: (headers) => {
        this.seen = headers.get("chat-seen") ?? this.seen;
        if (headers.get("chat-stale") === "true") this.stale();
      },
    });
  }

  private keep(session: Session): string {
    const { storage, clock } = this.environment;
    // What is under way for one user must not go on with another's token.
    if (this.user && this.user.id !== session.user.id) throw new AnotherUser();
    this.user = session.user;
    this.token = { text: session.accessToken, until: clock.now() + session.expiresIn * 1000 };
    storage.setItem(SIGNED_IN, "yes");
    if (session.refreshToken) storage.setItem(REFRESH_TOKEN, session.refreshToken);
    return session.accessToken;
  }
}
