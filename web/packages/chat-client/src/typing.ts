// Who is typing where. A signal without a place in any log: it may be lost, and ends by itself.
import type { Clock } from "./environment.ts";
import { TYPING_ENDS_MS, TYPING_EVERY_MS } from "./limits.ts";
import { Timers } from "./timers.ts";
import type { ServerFrame } from "./wire.ts";

/** The others who are typing, by room. */
export type TypingState = Readonly<Record<string, readonly string[]>>;

interface Handlers {
  changed(): void;
  tell(roomId: string, typing: boolean): void;
}

export class Typing {
  state: TypingState = {};
  private readonly timers: Timers;

  constructor(
    clock: Clock,
    private readonly handlers: Handlers,
  ) {
    this.timers = new Timers(clock);
  }

  frame(frame: ServerFrame): void {
    if (frame.type === "message") this.set(frame.roomId, frame.senderId, false);
    if (frame.type !== "typing") return;
    const { roomId, userId, typing } = frame;
    this.set(roomId, userId, typing);
    if (typing)
      this.timers.after(`${roomId} ${userId}`, TYPING_ENDS_MS, () => this.set(roomId, userId, false));
  }

  private set(roomId: string, userId: string, typing: boolean): void {
    const before = this.state[roomId] ?? [];
    if (!typing) this.timers.cancel(`${roomId} ${userId}`);
    if (before.includes(userId) === typing) return;
    const now = typing ? [...before, userId] : before.filter((each) => each !== userId);
    this.state = { ...this.state, [roomId]: now };
    this.handlers.changed();
  }

  /** I am typing, or not any more: told as often as it has to be. */
  tell(roomId: string, typing: boolean): void {
    const told = this.timers.has(roomId);
    if (typing === told) return;
    this.handlers.tell(roomId, typing);
    if (typing) this.timers.after(roomId, TYPING_EVERY_MS, () => undefined);
    else this.timers.cancel(roomId);
  }

  lost(): void {
    this.timers.cancelAll();
    this.state = {};
  }
}
