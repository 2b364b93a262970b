//! Every bound of the system, by name. A number that limits something and stands elsewhere is a mistake.

use std::time::Duration;

/// Largest request body, and largest frame from a client, in bytes.
pub const BODY_BYTES: usize = 64 * 1024;
/// Largest frame to a client, in bytes.
pub const SERVER_FRAME_BYTES: usize = 1024 * 1024;
/// Largest page of items, in bytes of JSON.
pub const PAGE_BYTES: usize = 1024 * 1024;

pub const MESSAGE_CHARS: usize = 4_000;
pub const ROOM_NAME_CHARS: usize = 80;
pub const TOPIC_CHARS: usize = 500;
pub const DISPLAY_NAME_CHARS: usize = 64;
pub const USERNAME_CHARS: std::ops::RangeInclusive<usize> = 3..=32;
pub const PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 10..=256;
pub const DEVICE_NAME_CHARS: usize = 100;
/// Shortest start of a name that people are found by.
pub const QUERY_CHARS_MIN: usize = 2;
pub const QUERY_CHARS: usize = 64;
/// Bytes of a sealed message with its tag.
pub const CIPHERTEXT_BYTES: usize = 32 * 1024;
pub const DEVICES_PER_USER: i64 = 20;
/// Devices of all members of a sealed room.
pub const DEVICES_PER_ROOM: i64 = 500;
/// Wrapped keys of one request; its body is full earlier.
pub const KEYS_PER_REQUEST: usize = 500;
/// The newest of the caller's own keys that are read; with them a page holds less than [`PAGE_BYTES`].
pub const KEYS_READ: i64 = 4_000;
pub const MENTIONS: usize = 50;
/// Members that a room can be created with, besides its owner.
pub const INITIAL_MEMBERS: usize = 100;
pub const REF_CHARS: usize = 64;
pub const EMOJI_BYTES: usize = 32;
/// Different reactions of one message.
pub const REACTIONS: usize = 20;
pub const SEARCH_CHARS: usize = 200;
/// Characters from which the last word of a search also finds what begins with it.
pub const SEARCH_PREFIX_CHARS: usize = 3;
/// What is written is gathered so long before it becomes searchable; the contract allows 2 s.
pub const SEARCH_LAG: Duration = Duration::from_millis(500);
/// How often rooms are looked for that were missed, after a crash between a commit and its announcement.
pub const SEARCH_SWEEP: Duration = Duration::from_secs(60);
/// Rooms that wait for becoming searchable; what is beyond is found by the sweep.
pub const SEARCH_WAITING: usize = 65_536;
/// Rooms of one transaction that makes searchable, and events of each.
pub const SEARCH_ROOMS_AT_ONCE: usize = 20;
pub const SEARCH_EVENTS_AT_ONCE: i32 = 1_000;
/// Characters of an `Idempotency-Key`, and how long one is remembered.
pub const IDEMPOTENCY_KEY_CHARS: usize = 128;
pub const IDEMPOTENCY_KEY_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Keys past their life that a request with a key of its own takes away: more than it adds.
pub const IDEMPOTENCY_KEYS_SWEPT: i64 = 4;
/// How long an invite is good: unless given, and at most.
pub const INVITE_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
pub const INVITE_LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// Uses that an invite can be good for, where it has a bound.
pub const INVITE_USES: u32 = 1_000_000_000;
/// Members of a room above which `read` and `presence` are not sent round.
pub const LIVELY_MEMBERS: u32 = 100;
/// Bytes of the path of a file of the page: no file system has longer names.
pub const PAGE_PATH_BYTES: usize = 255;
/// Characters of the opaque `chat-seen`.
pub const SEEN_CHARS: usize = 200;
/// Bytes of an access token that a door looks at.
pub const TOKEN_BYTES: usize = 4 * 1024;

/// Items of a page: unless given, and at most.
pub const PAGE_ITEMS: u32 = 50;
pub const PAGE_ITEMS_MAX: u32 = 200;
/// Events of a page of `/events`: unless given, and at most.
pub const EVENTS: u32 = 200;
pub const EVENTS_MAX: u32 = 1_000;
/// Unread and mention counts are exact up to here and stay here above.
pub const COUNT_MAX: i64 = 1_000;

pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(600);
/// How far two machines' clocks may differ.
pub const CLOCK_SKEW: Duration = Duration::from_secs(5);
/// A refresh token that is not used for so long is dead.
pub const REFRESH_TOKEN_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
/// Two uses of one refresh token without a key, so close together, are two tabs and no theft.
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);
/// How long the `Idempotency-Key` of a refresh is remembered, at least; that of the last refresh as long as there is no other.
pub const REFRESH_KEY_LIFE: Duration = Duration::from_secs(24 * 3600);
/// The list of revoked sessions goes to every door this often, changed or not; one that is older than the age lets nobody
/// in. A session stands in it until no access token of its can be good: one may have been on its way as it ended.
pub const REVOCATIONS_INTERVAL: Duration = Duration::from_secs(1);
pub const REVOCATION_LIST_AGE: Duration = Duration::from_secs(30);
pub const REVOCATIONS_KEPT: Duration = Duration::from_secs(ACCESS_TOKEN_LIFE.as_secs() + 60);
/// Doors that ask at once, or soon after each other, share a look into the database.
pub const REVOCATIONS_SHARED: Duration = Duration::from_millis(200);
/// Bytes of a list that a door takes.
pub const REVOCATION_LIST_BYTES: usize = 16 * 1024 * 1024;
/// Sessions that a gateway asks about at once.
pub const SESSIONS_ASKED_AT_ONCE: usize = 32;
/// Sessions that a door remembers to have asked about.
pub const SESSIONS_ASKED: usize = 10_000;
/// Sessions of one account that are told, the newest.
pub const SESSIONS_LISTED: i64 = 1_000;
/// Failed logins of one name within [`LOGIN_WINDOW`]: from one address, and from all.
pub const LOGIN_FAILURES_HERE: u32 = 10;
pub const LOGIN_FAILURES: u32 = 100;
pub const LOGIN_WINDOW: Duration = Duration::from_secs(60);
pub const JWKS_MAX_AGE: Duration = Duration::from_secs(300);
/// An unknown `kid` makes a verifier fetch the JWKS again, at most this often.
pub const JWKS_REFETCH: Duration = Duration::from_secs(10);
pub const SERVICE_TOKEN_LIFE: Duration = Duration::from_secs(60);
/// Password hashes at work at once, and waiting for their turn; above it `unavailable`.
pub const HASHES_AT_ONCE: usize = 2;
pub const HASHES_WAITING: usize = 256;

/// Deadline of one public operation, from door to database.
pub const CALL_DEADLINE: Duration = Duration::from_secs(3);
/// Deadline of a call that hashes a password: it may wait its turn.
pub const HASH_DEADLINE: Duration = Duration::from_secs(30);
pub const HEALTH_DEADLINE: Duration = Duration::from_secs(1);
/// Calls of one process to db-core that wait for their answers at once; above it `unavailable`.
pub const CALLS_AT_ONCE: usize = 4_096;
/// Calls in a row that got no answer, after which db-core is taken to be away.
pub const BREAKER_FAILURES: u32 = 5;
/// A call that waits so long while nothing at all is answered makes a caller ask whether db-core is there.
pub const BREAKER_PATIENCE: Duration = Duration::from_secs(1);
/// How long db-core may take to say that it is there, and how often one that is away is asked.
pub const BREAKER_PROBE: Duration = Duration::from_secs(1);
pub const BREAKER_INTERVAL: Duration = Duration::from_millis(200);
/// What `Retry-After` says of a dependency that is expected back soon, in seconds.
pub const RETRY_SOON_SECONDS: u32 = 1;

/// A connection that has not sent its whole request head by then is closed.
pub const HEAD_DEADLINE: Duration = Duration::from_secs(10);
/// A request body that has not arrived whole by then is refused.
pub const BODY_DEADLINE: Duration = Duration::from_secs(10);
/// Bytes of a request head that a server buffers.
pub const HEAD_BYTES: usize = 16 * 1024;
/// Connections that wait to be accepted, as far as the kernel allows.
pub const ACCEPT_QUEUE: u32 = 4_096;
/// Open connections of one listener; more wait in the kernel's queue.
pub const CONNECTIONS: usize = 20_000;
/// A client that takes nothing of what is written to it for so long is cut off. Longer than [`SOCKET_STALL`] and
/// [`CLOSE_DEADLINE`] together, so that a gateway's own word to a slow reader comes first.
pub const WRITE_STALL: Duration = Duration::from_secs(30);
/// Between "stop" and the end of a process that had work in hand.
pub const DRAIN_DEADLINE: Duration = Duration::from_secs(10);

pub const HEARTBEAT: Duration = Duration::from_secs(25);
/// Pings without a pong that end a socket.
pub const MISSED_PONGS: u32 = 2;
pub const ROOMS_PER_JOIN: usize = 100;
pub const ROOMS_PER_SOCKET: usize = 1_000;
/// Rooms that one socket has asked for and that are not answered yet; more are `rate-limited`. Each may be asked for twice.
pub const JOINS_WAITING: usize = 2 * ROOMS_PER_SOCKET;
/// Rooms that may know of one socket: it joined them, or sends to them. More are `rate-limited`.
pub const ROOMS_CONCERNED: usize = 2 * ROOMS_PER_SOCKET;
pub const SOCKETS_PER_USER: usize = 50;
pub const FRAMES_PER_SECOND: u32 = 50;
pub const FRAME_BURST: u32 = 100;
pub const SENDS_PER_SECOND: u32 = 10;
pub const SEND_BURST: u32 = 20;
/// Bytes of frames that may wait for one socket.
pub const SOCKET_QUEUE_BYTES: usize = 4 * 1024 * 1024;
/// A socket with so many bytes waiting gets no typing frames; with so many, none of presence and read markers either.
pub const SHED_TYPING_BYTES: usize = 1024 * 1024;
pub const SHED_SIGNALS_BYTES: usize = 2 * 1024 * 1024;
/// A socket with frames waiting that takes nothing for so long is closed.
pub const SOCKET_STALL: Duration = Duration::from_secs(10);
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(10);
/// A socket is closed so long after its token's `exp`, at the latest.
pub const EXPIRY_GRACE: Duration = Duration::from_secs(5);
/// Events that `joined` carries, at most (and `SERVER_FRAME_BYTES`).
pub const JOIN_EVENTS: u32 = 1_000;
/// Drafts of one `append`; what waits goes with the next.
pub const DRAFTS_PER_APPEND: usize = 100;
/// Calls of `append` that a gateway has under way; what comes meanwhile, of whatever room, is the next one's batch.
pub const APPENDS_AT_ONCE: usize = 2;
/// Drafts that db-core commits together, and that wait for their turn; above it `unavailable`.
pub const DRAFTS_PER_COMMIT: usize = 512;
pub const DRAFTS_WAITING: usize = 20_000;
/// One commit of drafts is under way, and another beside it for each that takes longer than this, up to so many.
pub const COMMIT_PATIENCE: Duration = Duration::from_millis(50);
pub const COMMITS_AT_ONCE: usize = 4;
/// Sends of one room that wait in a gateway for their `append`.
pub const SENDS_WAITING_PER_ROOM: usize = 10_000;
/// Events that a gateway holds back in one room until what is missing came.
pub const HELD_EVENTS: usize = 4_096;
/// The newest events of a room that a gateway keeps, and their bytes.
pub const RING_EVENTS: usize = 256;
pub const RING_BYTES: usize = 256 * 1024;
/// Heads are compared this often, so that a lost last announcement costs no more; and while the bus is away, when nothing
/// else brings what was sent on another gateway.
pub const HEADS_INTERVAL: Duration = Duration::from_secs(2);
pub const HEADS_INTERVAL_ALONE: Duration = Duration::from_secs(1);
/// Rooms of one comparison; more take several calls.
pub const HEADS_PER_CALL: usize = 10_000;
/// An early event waits so long for the one before it, then the gap is fetched.
pub const GAP_PATIENCE: Duration = Duration::from_millis(100);
/// Announcements that wait for a bus that is away; then the oldest go, and readers backfill.
pub const ANNOUNCEMENTS_WAITING: usize = 10_000;
/// Frames waiting in one subscriber of the bus; above it continuity is lost and said to be.
pub const BUS_QUEUE: usize = 65_536;
pub const PRESENCE_LEASE: Duration = Duration::from_secs(10);
pub const PRESENCE_RENEWAL: Duration = Duration::from_secs(3);
/// Leases that have run out are looked for this often.
pub const PRESENCE_WATCH: Duration = Duration::from_secs(1);
/// Changes of who is here are gathered for so long before the lease says them.
pub const PRESENCE_GATHER: Duration = Duration::from_millis(100);
/// Somebody whose last socket has ended may come back within this before it is said.
pub const PRESENCE_LINGER: Duration = Duration::from_secs(3);
/// What a gateway has shown of others' presence is compared with the leases this often.
pub const PRESENCE_COMPARISON: Duration = Duration::from_secs(30);
/// Users that the leases are asked about at once.
pub const PRESENCE_PER_CALL: usize = 1_000;
/// How long a list of members waits to hear who of them is there.
pub const PRESENCE_ANSWER: Duration = Duration::from_millis(100);

/// Who types is silent again after this, unless it is said anew.
pub const TYPING_LIFE: Duration = Duration::from_secs(6);
/// Between two words of one person's typing in one room.
pub const TYPING_INTERVAL: Duration = Duration::from_millis(500);
/// Typing frames of one socket; what is above is not passed on.
pub const TYPING_PER_SECOND: u32 = 5;
pub const TYPING_BURST: u32 = 20;
/// Between two `read` frames of one person in one room, and between two `presence` frames of one person to one socket.
pub const SIGNAL_INTERVAL: Duration = Duration::from_secs(1);
/// Rooms in which a socket's read markers wait for db-core.
pub const READS_WAITING: usize = ROOMS_PER_SOCKET;
/// Signals of a gateway that wait for the bus; what is above is dropped.
pub const SIGNALS_WAITING: usize = 10_000;

pub const CACHE_TTL: Duration = Duration::from_secs(300);
pub const CACHE_ENTRIES: u64 = 100_000;
/// The members of a larger room are not cached.
pub const ROSTER_MEMBERS: usize = 500;

/// Connections to the database of one db-core.
pub const DATABASE_CONNECTIONS: u32 = 16;
/// And besides, for what must be known in time.
pub const WATCH_CONNECTIONS: u32 = 2;
/// Where there are several servers, the leader is asked this often whether it still is.
pub const LEADER_LOOK: Duration = Duration::from_secs(1);
pub const LEADER_ANSWER: Duration = Duration::from_secs(1);
/// Events that come to a socket closer together are gathered for one write.
pub const BUSY_SOCKET: Duration = Duration::from_millis(10);
/// A replica that needs longer for an answer is passed by.
pub const REPLICA_ANSWER: Duration = Duration::from_millis(500);
/// For so long a replica may catch up with what a read must show, and it is asked this often whether it has.
pub const REPLICA_LAG: Duration = Duration::from_millis(50);
pub const REPLICA_LOOK: Duration = Duration::from_millis(5);
/// Writes under way at once, also those whose caller no longer waits; above it `unavailable`.
pub const WRITES_AT_ONCE: usize = 512;
/// How long a cache may take before it is passed by, and for how long a connection that failed is then left alone.
pub const CACHE_ANSWER: Duration = Duration::from_millis(100);
pub const CACHE_PAUSE: Duration = Duration::from_millis(500);
/// A reader that fills a place in the cache has so long.
pub const CACHE_FILL: Duration = Duration::from_secs(5);
/// How often a db-core confirms which cache counts, for how long it trusts that, counted from asking, and how long it
/// waits for others to have heard of a change: longer than the trust, as clocks run differently.
pub const CACHE_NAME_CONFIRMED: Duration = Duration::from_millis(100);
pub const CACHE_NAME_TRUSTED: Duration = Duration::from_millis(500);
pub const CACHE_NAME_WAIT: Duration = Duration::from_millis(550);
/// A cache that had to be closed is opened again after so long, and after twice as long each time it doesn't last.
pub const CACHE_REOPEN: Duration = Duration::from_secs(1);
pub const CACHE_REOPEN_MAX: Duration = Duration::from_secs(30);
