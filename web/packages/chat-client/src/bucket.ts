// Keeps to the rates that the server told: what is above them would be refused, or end the socket.
import { RATE_SHARE } from "./limits.ts";

export interface Bucket {
  perSecond: number;
  burst: number;
  left: number;
  /** Milliseconds on the caller's clock. */
  at: number;
}

export function bucket(perSecond: number, burst: number, now: number): Bucket {
  const most = Math.max(1, Math.floor(burst * RATE_SHARE));
  return { perSecond: perSecond * RATE_SHARE, burst: most, left: most, at: now };
}

/** One unit taken, or the milliseconds until there is one. */
export function take(bucket: Bucket, now: number): { bucket: Bucket; waitMs: number } {
  const gained = (Math.max(0, now - bucket.at) / 1000) * bucket.perSecond;
  const left = Math.min(bucket.burst, bucket.left + gained);
  if (left >= 1) return { bucket: { ...bucket, left: left - 1, at: now }, waitMs: 0 };
  return { bucket: { ...bucket, left, at: now }, waitMs: Math.ceil(((1 - left) / bucket.perSecond) * 1000) };
}
