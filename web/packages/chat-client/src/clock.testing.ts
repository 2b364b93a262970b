// Timers without time.
import type { Clock } from "./environment.ts";

/** Time that passes when the test says so. */
export class TestClock implements Clock {
  private time = 1_000_000;
  private timers: { at: number; work: () => void }[] = [];

  now(): number {
    return this.time;
  }

  after(ms: number, work: () => void): () => void {
    const timer = { at: this.time + ms, work };
    this.timers.push(timer);
    return () => (this.timers = this.timers.filter((other) => other !== timer));
  }

  get waiting(): number {
    return this.timers.length;
  }

  /** Lets everything run that waits for no time. */
  async settle(): Promise<void> {
    for (let n = 0; n < 20; n++) await Promise.resolve();
  }

  /** Goes to the next timer; says how long it took. */
  async next(): Promise<number> {
    await this.settle();
    const [timer] = this.timers.sort((a, b) => a.at - b.at);
    if (!timer) throw new Error("nothing waits");
    const passed = timer.at - this.time;
    this.time = timer.at;
    this.timers = this.timers.filter((other) => other !== timer);
    timer.work();
    await this.settle();
    return passed;
  }

  async pass(ms: number): Promise<void> {
    const until = this.time + ms;
    while (this.timers.some((timer) => timer.at <= until)) await this.next();
    this.time = until;
  }
}
