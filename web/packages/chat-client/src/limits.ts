// Every bound of the client, by name.

/** Full jitter: the longest possible wait before the first try to come back, doubled with each, up to the last. */
export const FIRST_WAIT_MS = 250;
export const LONGEST_WAIT_MS = 10_000;
/** A silent line is asked; browsers cannot see the server's own pings. */
export const PING_MS = 15_000;
export const PATIENCE_MS = 10_000;
/** A socket that lived so long was a good one: the tries before it don't count any more. */
export const STEADY_MS = 10_000;
/** A request without an answer is given up. */
export const REQUEST_MS = 30_000;
/** An access token is renewed so long before it ends; a failed try comes again after the pause. */
export const TOKEN_EARLY_MS = 60_000;
export const RENEWAL_PAUSE_MS = 5_000;

/** Of a text, in Unicode scalar values; the server takes no more. */
export const TEXT_CHARS = 4_000;
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

/** Events of a room that are asked for at once: the server's own most, and a page of what is older. */
export const EVENTS_PER_PAGE = 1_000;
export const OLDER_EVENTS = 200;
/** A room that is looked at shows as many messages at least, and as many more for each step back. */
export const OLDER_MESSAGES = 50;
/** Changes of rooms that are remembered for a list that was made before them. */
export const RECENT_CHANGES = 200;
/** Read markers of a room go out no faster; the last one always does. */
export const READ_EVERY_MS = 1_000;

/** Typing ends by itself after so long, at the server too; who goes on says so before. */
export const TYPING_ENDS_MS = 6_000;
export const TYPING_EVERY_MS = 3_000;
