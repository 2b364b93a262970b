// The socket to a gateway: opened again when it is lost, with full jitter, so that many clients don't come back at once.
import { jittered } from "./backoff.ts";
import type { Environment, Wire } from "./environment.ts";
import { isOver } from "./http.ts";
import { LONGEST_WAIT_MS, PATIENCE_MS, PING_MS, RENEWAL_PAUSE_MS, STEADY_MS } from "./limits.ts";
import { Timers } from "./timers.ts";
import type { ClientFrame, Draining, Limits, ServerFrame } from "./wire.ts";

const EXPIRED_OR_REVOKED = 4401;
/** Who comes back at once is sent away again: protocol, text and size, malformed, forbidden, too many frames. */
const NOT_AT_ONCE = new Set([1002, 1003, 1007, 1009, 4400, 4403, 4429]);
const OPEN = 1;

export interface Handlers {
  token(): Promise<string>;
  /** Milliseconds until the token should be replaced. */
  renewIn(): number;
  /** A socket with this token was refused (`sure`), or never opened, for whatever reason. */
  refused(token: string, sure: boolean): Promise<void>;
  opened(limits: Limits): void;
  frame(frame: ServerFrame): void;
  lost(): void;
  /** There is no session any more: no other socket is tried. */
  ended(error: unknown): void;
}

export class Socket {
  private wire: Wire | undefined;
  /** The one that the socket goes by now. */
  private token = "";
  private tries = 0;
  private welcomedAt: number | undefined;
  /** What the gateway wants waited before the next one is sought. */
  private pause: number | undefined;
  private stopped = false;
  private readonly timers: Timers<"again" | "watchdog" | "renewal" | "leave">;

  constructor(
    private readonly environment: Environment,
    private readonly handlers: Handlers,
  ) {
    this.timers = new Timers(environment.clock);
  }

  async start(): Promise<void> {
    if (this.stopped) return;
    let token: string;
    try {
      token = await this.handlers.token();
    } catch (error) {
      if (this.stopped) return;
      if (isOver(error)) return this.over(error);
      this.handlers.lost();
      return this.again();
    }
    if (!this.stopped) this.open(token);
  }

  private open(token: string): void {
    const { WebSocket, origin } = this.environment;
    const wire = new WebSocket(`${origin.replace(/^http/, "ws")}/ws`, ["chat.v1", `bearer.${token}`]);
    this.wire = wire;
    this.token = token;
    this.welcomedAt = undefined;
    wire.onmessage = ({ data }) => wire === this.wire && this.heard(JSON.parse(String(data)) as ServerFrame);
    wire.onclose = ({ code }) => void this.closed(wire, code);
    // What went wrong is told by the close behind it.
    wire.onerror = () => undefined;
    this.watch();
  }

  /** Whether the frame was handed to a living socket. */
  send(frame: ClientFrame): boolean {
    if (this.wire?.readyState !== OPEN) return false;
    this.wire.send(JSON.stringify(frame));
    return true;
  }

  /** A line may be there again: does not wait any longer. */
  hurry(): void {
    if (!this.timers.has("again")) return;
    this.timers.cancel("again");
    void this.start();
  }

  /** There is no line any more: does not wait until its silence tells. */
  offline(): void {
    this.drop(1006);
  }

  stop(): void {
    this.stopped = true;
    this.timers.cancelAll();
    const wire = this.wire;
    this.wire = undefined;
    wire?.close(1000);
  }

  private heard(frame: ServerFrame): void {
    this.watch();
    switch (frame.type) {
      case "welcome":
        this.welcomedAt = this.environment.clock.now();
        this.renewLater(this.handlers.renewIn());
        return this.handlers.opened(frame.limits);
      case "draining":
        return this.leave(frame);
      case "pong":
        return;
      default:
        return this.handlers.frame(frame);
    }
  }

  /** The gateway goes away. It closes by itself, but who waits for that comes with all others. */
  private leave({ reconnectAfterMs }: Draining): void {
    this.pause = reconnectAfterMs * (0.5 + this.environment.random());
    this.timers.after("leave", this.pause, () => {
      this.pause = 0;
      this.drop(4503);
    });
  }

  /** A new token in place, so that the socket outlives the one it was opened with. */
  private renewLater(ms: number): void {
    this.timers.after("renewal", Math.max(RENEWAL_PAUSE_MS, ms), () => void this.renew());
  }

  private async renew(): Promise<void> {
    const wire = this.wire;
    try {
      const accessToken = await this.handlers.token();
      if (wire !== this.wire) return;
      if (this.send({ type: "auth", accessToken })) this.token = accessToken;
      this.renewLater(this.handlers.renewIn());
    } catch (error) {
      if (wire !== this.wire || this.stopped) return;
      if (isOver(error)) this.over(error);
      else this.renewLater(0);
    }
  }

  /** Asks when nothing is heard, and gives up when nothing comes back: a dead line does not close by itself for minutes. */
  private watch(): void {
    this.timers.after("watchdog", PING_MS, () => {
      this.send({ type: "ping" });
      this.timers.after("watchdog", PATIENCE_MS, () => this.drop(1006));
    });
  }

  /** Lets go of the socket without waiting for its end. */
  private drop(code: number): void {
    const wire = this.wire;
    if (!wire) return;
    wire.close(1000);
    void this.closed(wire, code);
  }

  private async closed(wire: Wire, code: number): Promise<void> {
    if (wire !== this.wire || this.stopped) return;
    const welcomed = this.welcomedAt !== undefined;
    this.timers.cancel("watchdog", "renewal", "leave");
    this.wire = undefined;
    this.handlers.lost();
    if (welcomed && this.environment.clock.now() - (this.welcomedAt ?? 0) >= STEADY_MS) this.tries = 0;
    // 4401 is an expired token or an ended session: the refresh tells which. A browser does not say why no socket opened.
    const sure = code === EXPIRED_OR_REVOKED;
    if (sure || !welcomed) await this.handlers.refused(this.token, sure);
    if (!this.stopped) this.again(NOT_AT_ONCE.has(code));
  }

  private again(later = false): void {
    const pause = this.pause ?? (later ? LONGEST_WAIT_MS : 0);
    const wait = this.pause === undefined ? jittered(++this.tries, this.environment.random) : 0;
    this.pause = undefined;
    this.timers.after("again", pause + wait, () => void this.start());
  }

  private over(error: unknown): void {
    this.stop();
    this.handlers.ended(error);
  }
}
