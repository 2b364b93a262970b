// One user's time with one session: does what the core decides, over the socket, over HTTP and with the store.
import { jittered } from "./backoff.ts";
import { Core } from "./core.ts";
import type { Effect } from "./effect.ts";
import type { Environment } from "./environment.ts";
import { History } from "./history.ts";
import { Problem, type EventPage, type Room, type User } from "./http.ts";
import { EVENTS_PER_PAGE, READ_EVERY_MS } from "./limits.ts";
import { Listing } from "./listing.ts";
import type { Entry } from "./outbox.ts";
import { RoomList } from "./rooms.ts";
import type { Account } from "./session.ts";
import { Socket } from "./socket.ts";
import { Timers } from "./timers.ts";
import { Typing } from "./typing.ts";
import { isDurable, type Draft, type DurableEvent, type PresenceState, type ServerFrame } from "./wire.ts";

export interface Told {
  changed(): void;
  ended(error: unknown): void;
  /** What was written is sent, but would not outlive the page. */
  unkept(error: unknown): void;
}

export class Visit {
  readonly core: Core;
  readonly rooms: RoomList;
  readonly history: History;
  readonly listing: Listing;
  readonly typing: Typing;
  connection: "connecting" | "open" | "lost" = "connecting";
  presence: PresenceState = {};
  private readonly socket: Socket;
  private readonly timers: Timers;
  private stopped = false;

  constructor(
    private readonly environment: Environment,
    private readonly account: Account,
    readonly user: User,
    private readonly told: Told,
  ) {
    const { clock, random } = environment;
    this.core = new Core(user, () => clock.now(), random);
    this.rooms = new RoomList(user.id);
    this.timers = new Timers(clock);
    this.history = new History(this.core, {
      events: (roomId, after, limit) => this.events(roomId, after, limit),
      run: (effects) => this.run(effects),
      later: (work) => this.timers.after("look", jittered(3, random), work),
      over: () => this.stopped,
    });
    this.listing = new Listing(environment, account, {
      listed: (rooms) => {
        this.rooms.list(rooms);
        this.run(this.core.rooms(rooms.map((room) => room.id)));
      },
      ended: (error) => this.told.ended(error),
    });
    this.typing = new Typing(clock, {
      changed: () => this.told.changed(),
      tell: (roomId, typing) => this.socket.send({ type: "typing", roomId, typing }),
    });
    this.socket = new Socket(environment, {
      token: () => account.accessToken(),
      renewIn: () => account.renewIn(),
      refused: (token, sure) => this.refused(token, sure),
      opened: (limits) => {
        this.connection = "open";
        this.run(this.core.opened(limits));
        // What happened while away may have changed the list too.
        this.listing.ask();
      },
      frame: (frame) => this.frame(frame),
      lost: () => this.lost(),
      ended: (error) => this.told.ended(error),
    });
  }

  async start(): Promise<void> {
    void this.socket.start();
    this.listing.ask();
    try {
      const kept = await this.environment.outbox.load(this.user.id);
      if (this.stopped) return;
      this.core.restore(kept);
      this.run(this.core.woke("pump"));
    } catch (error) {
      this.told.unkept(error);
    }
  }

  stop(): void {
    this.stopped = true;
    this.socket.stop();
    this.timers.cancelAll();
    this.listing.stop();
    this.typing.lost();
  }

  hurry(): void {
    this.socket.hurry();
  }

  offline(): void {
    this.socket.offline();
  }

  submit(draft: Draft): void {
    this.run(this.core.submit(draft));
    this.typing.tell(draft.roomId, false);
  }

  run(effects: readonly Effect[]): void {
    if (this.stopped) return;
    effects.forEach((effect) => this.do(effect));
    this.history.fill();
    this.told.changed();
  }

  private do(effect: Effect): void {
    switch (effect.do) {
      case "write":
        // One that is not taken goes again when the next socket opens.
        return void this.socket.send(effect.frame);
      case "fetch":
        return void this.fetch(effect.roomId, effect.after, effect.to);
      case "wait":
        return this.timers.after(effect.key, effect.ms, () => this.run(this.core.woke(effect.key)));
      case "keep":
        return void this.keep(effect.entry);
      case "drop":
        return void this.dropped(effect.messageId);
      case "relist":
        return this.listing.ask();
    }
  }

  private async keep(entry: Entry): Promise<void> {
    try {
      await this.environment.outbox.keep(this.user.id, entry);
    } catch (error) {
      this.told.unkept(error);
    }
  }

  private async dropped(messageId: string): Promise<void> {
    try {
      await this.environment.outbox.drop(this.user.id, messageId);
    } catch {
      // It is sent again after a reload, under the same id: the server knows it.
    }
  }

  private frame(frame: ServerFrame): void {
    if (isDurable(frame)) this.rooms.event(frame);
    if (frame.type === "joined") frame.events.forEach((event) => this.rooms.event(event));
    if (frame.type === "read" && frame.userId === this.user.id) this.rooms.read(frame.roomId, frame.seq);
    this.typing.frame(frame);
    if (frame.type === "presence") this.presence = { ...this.presence, [frame.userId]: frame.status };
    if (frame.type === "notice") this.listing.ask();
    this.run(this.core.frame(frame));
  }

  private lost(): void {
    this.connection = "lost";
    this.core.lost();
    this.rooms.lost();
    this.typing.lost();
    this.presence = {};
    this.told.changed();
  }

  private async refused(token: string, sure: boolean): Promise<void> {
    if (sure) this.account.doubt(token);
    else await this.account.check(token);
  }

  private events(roomId: string, after: number, limit: number): Promise<EventPage> {
    return this.account.ask(`/api/rooms/${roomId}/events?after=${after}&limit=${limit}`);
  }

  private async fetch(roomId: string, after: number, to: number): Promise<void> {
    let page: { logId?: string; items: DurableEvent[] } = { items: [] };
    try {
      page = await this.events(roomId, after, Math.min(to - after, EVENTS_PER_PAGE));
    } catch (error) {
      if (error instanceof Problem && [403, 404].includes(error.status)) this.listing.ask();
    }
    if (this.stopped) return;
    page.items.forEach((event) => this.rooms.event(event));
    this.run(this.core.fetched(roomId, page.logId, page.items));
  }

  /** My rooms as they stand. Where a count is not known, they are asked for again. */
  look(): readonly Room[] {
    const { rooms, sure } = this.rooms.look(this.core.state.logs);
    this.listing.doubt(sure);
    return rooms;
  }

  answeredStale(): void {
    this.listing.answeredStale();
    this.told.changed();
  }

  /** Everything in the room that is here has been read. */
  read(roomId: string): void {
    const seq = this.core.state.logs[roomId]?.head ?? 0;
    if (this.connection !== "open" || seq <= this.rooms.marker(roomId)) return;
    this.rooms.read(roomId, seq);
    if (!this.timers.has(`read ${roomId}`)) this.tell(roomId, seq);
    this.told.changed();
  }

  private tell(roomId: string, seq: number): void {
    this.socket.send({ type: "read", roomId, seq });
    this.timers.after(`read ${roomId}`, READ_EVERY_MS, () => {
      const now = this.rooms.marker(roomId);
      if (now > seq) this.tell(roomId, now);
    });
  }
}
