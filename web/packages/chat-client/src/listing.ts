// The list of my rooms, asked for until it is answered, and again where what is known from here does not do.
import { jittered } from "./backoff.ts";
import type { Environment } from "./environment.ts";
import { isOver, type Page, type Room } from "./http.ts";
import type { Account } from "./session.ts";
import { Timers } from "./timers.ts";

interface Handlers {
  listed(rooms: readonly Room[]): void;
  ended(error: unknown): void;
}

export class Listing {
  /** An answer may lack what was acknowledged last; until the whole list comes without that doubt. */
  stale = false;
  /** Something stale was answered since the list was last asked for. */
  private staleSince = false;
  private readonly timers: Timers<"again">;
  private now: Promise<void> | undefined;
  private next: Promise<void> | undefined;
  private failures = 0;
  private stopped = false;

  constructor(
    private readonly environment: Environment,
    private readonly account: Account,
    private readonly handlers: Handlers,
  ) {
    this.timers = new Timers(environment.clock);
  }

  stop(): void {
    this.stopped = true;
    this.timers.cancelAll();
  }

  /** Goes on until it is answered. */
  ask(): void {
    if (this.stopped) return;
    this.timers.cancel("again");
    this.once().catch((error: unknown) => {
      if (this.stopped) return;
      if (isOver(error)) this.handlers.ended(error);
      else this.later();
    });
  }

  /** An answer was stale: the list is asked for until it is not. */
  answeredStale(): void {
    this.stale = true;
    this.staleSince = true;
    this.doubt(false);
  }

  /** Asks once more unless all is known; the less often, the longer it is not. */
  doubt(sure: boolean): void {
    if (sure && !this.stale) this.failures = 0;
    else if (!this.stopped && !this.now && !this.timers.has("again")) this.later();
  }

  private later(): void {
    this.timers.after("again", jittered(++this.failures, this.environment.random), () => this.ask());
  }

  /** One look at a time, and the one that answers began after it was asked for. */
  once(): Promise<void> {
    if (!this.now) {
      this.now = this.read().finally(() => (this.now = undefined));
      return this.now;
    }
    this.next ??= this.now
      .catch(() => undefined)
      .then(() => {
        this.next = undefined;
        return this.once();
      });
    return this.next;
  }

  private async read(): Promise<void> {
    this.staleSince = false;
    const rooms: Room[] = [];
    let cursor: string | undefined;
    do {
      const more = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
      const page = await this.account.ask<Page<Room>>(`/api/rooms?limit=200${more}`);
      rooms.push(...page.items);
      cursor = page.nextCursor;
    } while (cursor);
    if (this.stopped) return;
    this.stale = this.staleSince;
    if (this.stale) this.later();
    this.handlers.listed(rooms);
  }
}
