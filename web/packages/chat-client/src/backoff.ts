// Full jitter: anything between nothing and a bound that doubles, so that many clients don't come back at once
// (Brooker, "Exponential Backoff And Jitter", 2015).
import { FIRST_WAIT_MS, LONGEST_WAIT_MS } from "./limits.ts";

/** Milliseconds before the try after so many failures. */
export function jittered(failures: number, random: () => number): number {
  return random() * Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.max(0, failures - 1));
}
