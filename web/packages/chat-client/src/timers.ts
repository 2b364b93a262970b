// Named timers: one that is set again replaces the earlier one, and all of them end together.
import type { Clock } from "./environment.ts";

export class Timers<Name extends string = string> {
  private readonly set = new Map<Name, () => void>();

  constructor(private readonly clock: Clock) {}

  after(name: Name, ms: number, work: () => void): void {
    this.cancel(name);
    const cancel = this.clock.after(ms, () => {
      this.set.delete(name);
      work();
    });
    this.set.set(name, cancel);
  }

  has(name: Name): boolean {
    return this.set.has(name);
  }

  cancel(...names: readonly Name[]): void {
    for (const name of names) {
      this.set.get(name)?.();
      this.set.delete(name);
    }
  }

  cancelAll(): void {
    this.cancel(...this.set.keys());
  }
}
