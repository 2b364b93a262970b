// The socket to a gateway: opened again when it is lost, with full jitter, so that many clients don't come back at once.

import { jittered } from "../../packages/chat-client/src/backoff";
import { PATIENCE_MS, PING_MS } from "../../packages/chat-client/src/limits";

export interface Frame {
  type: string;
  ref?: string;
  roomId?: string;
  [field: string]: unknown;
}

export interface Handlers {
  token(): Promise<string>;
  /** Milliseconds until the token should be replaced. */
  renewIn(): number;
  /** A socket with this token was refused (`sure`), or never opened, for whatever reason. */
  refused(token: string, sure: boolean): Promise<void>;
  opened(): void;
  frame(frame: Frame): void;
  /** `ended`: the session is over, and no other socket is tried. */
  lost(ended: boolean): void;
}

export class ChatSocket {
  private ws: WebSocket | undefined;
  private tries = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setTimeout> | undefined;
  private renewal: ReturnType<typeof setTimeout> | undefined;
  private welcomed = false;
  private stopped = false;

  constructor(
    private readonly url: string,
    private readonly handlers: Handlers,
  ) {}

  async start(): Promise<void> {
    if (this.stopped) return;
    let token: string;
    try {
      token = await this.handlers.token();
    } catch (error) {
      const ended = (error as { status?: number }).status === 401;
      this.handlers.lost(ended);
      if (!ended) this.again();
      return;
    }
    if (this.stopped) return;
    const ws = new WebSocket(this.url, ["chat.v1", `bearer.${token}`]);
    this.ws = ws;
    this.welcomed = false;
    ws.onmessage = (message) => {
      this.heard();
      const frame = JSON.parse(String(message.data)) as Frame;
      if (frame.type === "welcome") {
        this.tries = 0;
        this.welcomed = true;
        this.renewLater();
        this.handlers.opened();
      } else if (frame.type !== "pong") {
        this.handlers.frame(frame);
      }
    };
    ws.onclose = (event) => void this.closed(ws, event.code, token);
    this.heard();
  }

  /** Whether the frame was handed to a living socket. */
  send(frame: Frame): boolean {
    if (this.ws?.readyState !== 1) return false;
    this.ws.send(JSON.stringify(frame));
    return true;
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    clearTimeout(this.renewal);
    this.ws?.close(1000);
  }

  /** A new token in place, so that the socket outlives the one it was opened with. */
  private renewLater(): void {
    clearTimeout(this.renewal);
    this.renewal = setTimeout(() => void this.renew(), this.handlers.renewIn());
  }

  private async renew(): Promise<void> {
    const ws = this.ws;
    try {
      const accessToken = await this.handlers.token();
      if (ws !== this.ws) return;
      this.send({ type: "auth", accessToken });
      this.renewLater();
    } catch {
      // The socket ends with its token; what opens the next one finds out why there is no other.
    }
  }

  private heard(): void {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => {
      this.send({ type: "ping" });
      this.watchdog = setTimeout(() => this.silent(), PATIENCE_MS);
    }, PING_MS);
  }

  /** Nothing came back: a dead line does not close by itself for minutes. */
  private silent(): void {
    const ws = this.ws;
    if (!ws) return;
    ws.onclose = null;
    ws.close();
    void this.closed(ws, 1006, "");
  }

  private async closed(ws: WebSocket, code: number, token: string): Promise<void> {
    if (ws !== this.ws || this.stopped) return;
    clearTimeout(this.watchdog);
    clearTimeout(this.renewal);
    this.ws = undefined;
    this.handlers.lost(false);
    // 4401 is an expired token or an ended session: the refresh tells which. A browser does not say why no socket opened.
    if (code === 4401 || (!this.welcomed && token)) await this.handlers.refused(token, code === 4401);
    if (!this.stopped) this.again();
  }

  private again(): void {
    this.timer = setTimeout(() => void this.start(), jittered(++this.tries, Math.random));
  }
}
