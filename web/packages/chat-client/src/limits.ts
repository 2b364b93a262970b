// Every bound of the client, by name.

/** Full jitter: the longest possible wait before the first try to come back, doubled with each, up to the last. */
export const FIRST_WAIT_MS = 250;
export const LONGEST_WAIT_MS = 10_000;
/** A silent line is asked; browsers cannot see the server's own pings. */
export const PING_MS = 15_000;
export const PATIENCE_MS = 10_000;

/** Messages that may wait for their ack; what is above is refused to who writes it. */
export const OUTBOX_MESSAGES = 500;
/** Messages of one room in flight at once. */
export const IN_FLIGHT_PER_ROOM = 32;
/** The part of the server's rates that is used: what is sent evenly arrives in bunches. */
export const RATE_SHARE = 0.8;

/** An own ack may overtake what is before it for so long; then what is missing is fetched. */
export const GAP_PATIENCE_MS = 500;
/** A hole that is wider is not filled: the room starts again from its newest events. */
export const TOO_FAR_EVENTS = 5_000;
/** Events above a hole that are kept; what is beyond is fetched again. */
export const HELD_EVENTS = 2_000;
/** Messages of a room that nobody looks at; above it they are forgotten and loaded when wanted. */
export const UNSEEN_MESSAGES = 500;
