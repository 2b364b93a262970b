// A client of the chat: one user at a time, and everything to be shown as one value that changes as a whole.
import type { Environment } from "./environment.ts";
import { words, type Credentials, type Room, type User } from "./http.ts";
import { jittered } from "./backoff.ts";
import type { RoomLog } from "./log.ts";
import type { Entry } from "./outbox.ts";
import { Account, AnotherUser } from "./session.ts";
import { Timers } from "./timers.ts";
import type { TypingState } from "./typing.ts";
import { Visit } from "./visit.ts";
import type { Draft, PresenceState } from "./wire.ts";

export interface State {
  phase: "starting" | "signed-out" | "signed-in";
  user?: User;
  connection: "connecting" | "open" | "lost";
  /** Mine, by newest activity when they were listed, with counts that are up to date. */
  rooms: readonly Room[];
  logs: Readonly<Record<string, RoomLog>>;
  /** What was written here and is not in its log yet, in order. */
  outbox: readonly Entry[];
  typing: TypingState;
  presence: PresenceState;
  /** The server had no leader of its database when it was asked last: what was acknowledged last may be missing here. */
  stale: boolean;
  /** What went wrong, in words for people. */
  notice?: string;
}

const EMPTY: State = {
  ...{ phase: "starting", connection: "connecting" },
  ...{ rooms: [], logs: {}, outbox: [], typing: {}, presence: {}, stale: false },
};

const UNKEPT = "What you write will not outlive this page.";

export class ChatClient {
  private state = EMPTY;
  private readonly listeners = new Set<() => void>();
  private readonly account: Account;
  private readonly timers: Timers;
  private visit: Visit | undefined;
  private failures = 0;
  /** Of what was begun before a close nothing goes on. */
  private closes = 0;

  constructor(private readonly environment: Environment) {
    this.account = new Account(environment, () => this.visit?.answeredStale());
    this.timers = new Timers(environment.clock);
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };
  /** The same value until something changes. */
  readonly snapshot = (): State => this.state;

  private set(state: State): void {
    this.state = state;
    this.listeners.forEach((listener) => listener());
  }

  /** Goes on with the session of an earlier visit, if there is one; tries until that is known. */
  async start(): Promise<void> {
    const { closes } = this;
    try {
      const resumed = await this.account.resume();
      if (closes !== this.closes) return;
      this.failures = 0;
      if (resumed) await this.enter();
      else this.set({ ...EMPTY, phase: "signed-out" });
    } catch (error) {
      if (closes !== this.closes) return;
      // The session may well be there: the server is not.
      this.set({ ...EMPTY, connection: "lost", notice: words(error) });
      const wait = jittered(++this.failures, this.environment.random);
      this.timers.after("start", wait, () => void this.start());
    }
  }

  async signIn(route: "login" | "register", credentials: Credentials): Promise<void> {
    await this.account.enter(route, credentials);
    await this.enter();
  }

  /** Ends the session; what waits to be sent is let go of, so that nothing of the user stays behind. */
  async signOut(): Promise<void> {
    const user = this.state.user;
    await this.account.leave();
    this.close();
    this.set({ ...EMPTY, phase: "signed-out" });
    if (user) await this.environment.outbox.clear(user.id);
  }

  /** Lets go of the line, not of the session. */
  close(): void {
    this.closes += 1;
    this.timers.cancelAll();
    this.visit?.stop();
    this.visit = undefined;
  }

  private async enter(): Promise<void> {
    this.close();
    const user = this.account.user as User;
    const visit: Visit = new Visit(this.environment, this.account, user, {
      changed: () => this.show(visit),
      ended: (error) => this.ended(error),
      unkept: () => visit === this.visit && this.set({ ...this.state, notice: UNKEPT }),
    });
    this.visit = visit;
    this.set({ ...EMPTY, phase: "signed-in", user });
    await visit.start();
  }

  private show(visit: Visit): void {
    if (visit !== this.visit) return;
    const { logs, outbox } = visit.core.state;
    const { connection, typing, presence, listing } = visit;
    const shown = { connection, rooms: visit.look(), logs, outbox: outbox.entries, typing: typing.state };
    this.set({ ...this.state, ...shown, presence, stale: listing.stale });
  }

  /** The session is over. What waits stays stored, for when the same user comes back. */
  private ended(error: unknown): void {
    this.close();
    if (error instanceof AnotherUser) {
      this.account.part();
      this.set(EMPTY);
      void this.start();
      return;
    }
    this.account.forget();
    this.set({ ...EMPTY, phase: "signed-out" });
  }

  private here(): Visit {
    if (!this.visit) throw new Error("Nobody is signed in.");
    return this.visit;
  }

  /** Sends a text, now or when there is a line. @throws {OutboxFull} */
  send(roomId: string, message: string, more: Pick<Draft, "replyTo" | "mentions"> = {}): string {
    const messageId = crypto.randomUUID();
    this.here().submit({ ...more, roomId, messageId, message });
    return messageId;
  }

  /** Sends a refused message again, under the same id. */
  tryAgain(messageId: string): void {
    const visit = this.here();
    visit.run(visit.core.tryAgain(messageId));
  }

  /** Lets go of a refused message. */
  discard(messageId: string): void {
    const visit = this.here();
    visit.run(visit.core.discard(messageId));
  }

  /** This room is looked at, or none: it is shown with its newest messages. */
  watch(roomId: string | undefined): void {
    this.visit?.history.watch(roomId);
  }

  /** Loads what was said before. */
  older(roomId: string): Promise<void> {
    return this.here().history.older(roomId);
  }

  /** Moves my read marker to the newest message that is here. */
  read(roomId: string): void {
    this.visit?.read(roomId);
  }

  /** Somebody types in a room here, or has left off; to be called with each key. */
  typing(roomId: string, typing: boolean): void {
    this.visit?.typing.tell(roomId, typing);
  }

  /** Asks for my rooms again. */
  list(): Promise<void> {
    return this.here().listing.once();
  }

  /** A request to the API in the user's name. */
  ask<T>(path: string, method = "GET", body?: unknown): Promise<T> {
    return this.account.ask<T>(path, method, body);
  }

  /** The line is gone, as a browser knows before a socket does. */
  offline(): void {
    this.visit?.offline();
  }

  /** The line may be back: does not wait any longer. */
  hurry(): void {
    this.visit?.hurry();
    if (this.timers.has("start")) {
      this.timers.cancel("start");
      void this.start();
    }
  }
}
