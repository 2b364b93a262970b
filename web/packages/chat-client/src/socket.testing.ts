// A socket that a test holds the other end of.
import type { Wire } from "./environment.ts";

export class FakeWire implements Wire {
  static all: FakeWire[] = [];
  static readonly last = (): FakeWire => FakeWire.all.at(-1) as FakeWire;
  readyState = 1;
  sent: string[] = [];
  onmessage: Wire["onmessage"] = null;
  onclose: Wire["onclose"] = null;
  onerror: Wire["onerror"] = null;
  constructor(
    readonly url: string,
    readonly protocols: string[],
  ) {
    FakeWire.all.push(this);
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.readyState = 3;
  }
  hear(frame: object): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }
  end(code: number): void {
    this.readyState = 3;
    this.onclose?.({ code });
  }
}
