// Older history: events read backwards, as many as give the room that is looked at enough messages to show.
import type { Core } from "./core.ts";
import type { Effect } from "./effect.ts";
import type { EventPage } from "./http.ts";
import type { RoomLog } from "./log.ts";
import { OLDER_EVENTS, OLDER_MESSAGES } from "./limits.ts";
import type { DurableEvent } from "./wire.ts";

interface Means {
  events(roomId: string, after: number, limit: number): Promise<EventPage>;
  run(effects: readonly Effect[]): void;
  /** A read that failed is tried again a while later. */
  later(work: () => void): void;
  over(): boolean;
}

export class History {
  private watched: string | undefined;
  private readonly loading = new Map<string, Promise<void>>();
  private failed = false;

  constructor(
    private readonly core: Core,
    private readonly means: Means,
  ) {}

  watch(roomId: string | undefined): void {
    this.watched = roomId;
    this.core.watch(roomId);
    this.fill();
  }

  /** The room that is looked at is not shown with less than there is. */
  fill(): void {
    const roomId = this.watched;
    const log = roomId === undefined ? undefined : this.core.state.logs[roomId];
    if (roomId === undefined || !log || log.from <= 1 || log.messages.length >= OLDER_MESSAGES) return;
    if (this.failed || this.loading.has(roomId)) return;
    this.older(roomId).catch(() => {
      this.failed = true;
      this.means.later(() => {
        this.failed = false;
        this.fill();
      });
    });
  }

  /** A step back in a room. */
  older(roomId: string): Promise<void> {
    const started = this.loading.get(roomId);
    if (started) return started;
    const work = this.stepBack(roomId).finally(() => this.loading.delete(roomId));
    this.loading.set(roomId, work);
    return work;
  }

  private async stepBack(roomId: string): Promise<void> {
    const had = this.core.state.logs[roomId]?.messages.length ?? 0;
    for (;;) {
      const log = this.core.state.logs[roomId];
      if (!log || log.from <= 1 || this.means.over()) return;
      const events = await this.before(roomId, log);
      if (this.means.over()) return;
      this.means.run(this.core.older(roomId, log.logId, events));
      const now = this.core.state.logs[roomId];
      const more = (now?.messages.length ?? 0) - had;
      // It began anew meanwhile, or nobody looks at it and it let go of what it had.
      if (!now || now.from >= log.from || more >= OLDER_MESSAGES) return;
    }
  }

  /** The stretch that ends where the log begins; a page may be shorter than was asked for. */
  private async before(roomId: string, { from, logId }: RoomLog): Promise<DurableEvent[]> {
    const events: DurableEvent[] = [];
    let after = Math.max(0, from - 1 - OLDER_EVENTS);
    while (after < from - 1) {
      const page = await this.means.events(roomId, after, from - 1 - after);
      const last = page.items.at(-1);
      if (page.logId !== logId || !last) return [];
      events.push(...page.items);
      after = last.seq;
    }
    return events;
  }
}
