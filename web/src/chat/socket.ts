// The socket to a gateway: opened again when it is lost, with full jitter, so that many clients don't come back at once.

export interface Frame {
  type: string;
  ref?: string;
  roomId?: string;
  [field: string]: unknown;
}

export interface Handlers {
  token(): Promise<string>;
  opened(): void;
  frame(frame: Frame): void;
  /** `ended`: the session is over, and no other socket is tried. */
  lost(ended: boolean): void;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
/** Says that the line is dead earlier than the system would. */
const PING_MS = 15_000;
const PATIENCE_MS = 10_000;

export class ChatSocket {
  private ws: WebSocket | undefined;
  private tries = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watchdog: ReturnType<typeof setTimeout> | undefined;
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
    ws.onmessage = (message) => {
      this.heard();
      const frame = JSON.parse(String(message.data)) as Frame;
      if (frame.type === "welcome") {
        this.tries = 0;
        this.handlers.opened();
      } else if (frame.type !== "pong") {
        this.handlers.frame(frame);
      }
    };
    ws.onclose = (event) => this.closed(ws, event.code);
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
    this.ws?.close(1000);
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
    this.closed(ws, 1006);
  }

  private closed(ws: WebSocket, code: number): void {
    if (ws !== this.ws || this.stopped) return;
    clearTimeout(this.watchdog);
    this.ws = undefined;
    this.handlers.lost(false);
    // 4401 is an expired token or an ended session: the refresh tells which.
    if (code === 4401) this.tries = 0;
    this.again();
  }

  private again(): void {
    const longest = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** this.tries++);
    this.timer = setTimeout(() => void this.start(), Math.random() * longest);
  }
}
