// Every bound of the client, by name.

/** Full jitter: the longest possible wait before the first try to come back, doubled with each, up to the last. */
export const FIRST_WAIT_MS = 250;
export const LONGEST_WAIT_MS = 10_000;
/** A socket that lasted so long was no failure: the next wait is a short one again. */
export const LASTED_MS = 10_000;
/** After "too many frames" the line rests so long at least. */
export const RATE_REST_MS = 2_000;
/** A silent line is asked; browsers cannot see the server's own pings. */
export const PING_MS = 15_000;
export const PATIENCE_MS = 10_000;
/** How long an answer may take when the system has hinted that the line is gone. */
export const PROBE_MS = 3_000;
/** An access token is renewed so long before it ends. */
export const RENEW_EARLY_MS = 60_000;
/** Between two tries of a renewal, or of a question that was not answered. */
export const ASK_AGAIN_MS = 2_000;

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
/** Events of one look into the past, and looks of one wish for older messages. */
export const PAGE_EVENTS = 200;
export const PAGES_AT_ONCE = 5;
/** Messages that one wish for older ones brings at least, where there are so many. */
export const OLDER_MESSAGES = 40;
/** Messages of a room that nobody looks at; above it they are forgotten and loaded when wanted. */
export const UNSEEN_MESSAGES = 500;
/** Unread and mention counts are exact up to here and stay here above. */
export const COUNT_MAX = 1_000;

/** Who types is silent again after this, unless it is said anew; and how often it is said. */
export const TYPING_LIFE_MS = 6_000;
export const TYPING_AGAIN_MS = 3_000;
/** Between two words of how far one room was read. */
export const READ_INTERVAL_MS = 1_000;
/** Names of people that are remembered. */
export const NAMES = 5_000;
