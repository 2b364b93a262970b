-- What people do with each other besides sending: blocks, direct conversations, invites; and requests done once.

-- Whom somebody wants to hear nothing of.
create table blocks (
    user_id uuid not null,
    blocked_id uuid not null,
    created_at timestamptz(3) not null default now(),
    primary key (user_id, blocked_id)
);

-- The one room between two people, the smaller id first.
create table dms (
    low_id uuid not null,
    high_id uuid not null,
    room_id uuid not null,
    primary key (low_id, high_id),
    check (low_id < high_id)
);

-- The code that is handed out is the id with a MAC: it is derived, never stored.
create table invites (
    room_id uuid not null,
    id uuid not null,
    created_by uuid not null,
    created_at timestamptz(3) not null,
    expires_at timestamptz(3) not null,
    max_uses integer check (max_uses > 0),
    uses integer not null default 0,
    primary key (room_id, id)
);

-- Requests that carried an Idempotency-Key: of key, method and path a hash, and what the first was answered with: its
-- status and the ids of its object.
create table requests_done (
    user_id uuid not null,
    key_hash bytea not null,
    body_hash text not null,
    outcome jsonb not null,
    at timestamptz(3) not null default now(),
    primary key (user_id, key_hash)
);
create index requests_done_by_age on requests_done (at);
