-- The whole data of the system. Tables of a room lead with its id, so that rooms can be spread over shards; what is a
-- user's leads with the user's id; no sequence is shared, no transaction spans two rooms but a batch of appends, and no
-- table of a room refers to a user by foreign key: a user may be gone, what was said stays.

create function to_ms(at timestamptz) returns bigint language sql immutable parallel safe
    as $$ select (extract(epoch from at) * 1000)::bigint $$;

create table users (
    id uuid primary key,
    username text not null unique,
    display_name text not null,
    password_hash text not null,
    role text not null default 'user' check (role in ('user', 'admin')),
    disabled boolean not null default false,
    created_at timestamptz(3) not null default now(),
    last_seen_at timestamptz(3)
);
-- People are found by the start of a name.
create index users_by_username on users (username text_pattern_ops);
create index users_by_display_name on users (lower(display_name) text_pattern_ops);

create table sessions (
    user_id uuid not null,
    id uuid not null,
    device text,
    scopes text[] not null,
    -- The one refresh token that is unspent, and when the one before it was spent.
    counter bigint not null default 0,
    spent_at timestamptz(3) not null default now(),
    created_at timestamptz(3) not null default now(),
    last_seen_at timestamptz(3) not null default now(),
    revoked_at timestamptz(3),
    primary key (user_id, id)
);

-- With which Idempotency-Key (hashed) a refresh token was first used; none is stored where none was sent.
create table refresh_uses (
    user_id uuid not null,
    session_id uuid not null,
    counter bigint not null,
    key_hash bytea not null,
    used_at timestamptz(3) not null default now(),
    primary key (user_id, session_id, counter)
);
create index refresh_uses_by_age on refresh_uses (used_at);

create table rooms (
    id uuid primary key,
    -- Names this history; a restore from a backup gives new ones.
    log_id uuid not null,
    kind text not null check (kind in ('room', 'dm')),
    name text,
    topic text,
    visibility text not null check (visibility in ('public', 'private')),
    encryption text not null check (encryption in ('none', 'envelope')),
    epoch integer not null default 0,
    min_epoch integer not null default 1,
    created_at timestamptz(3) not null,
    created_by uuid not null,
    -- The last place that was given, and when.
    head_seq bigint not null default 0,
    last_event_at timestamptz(3) not null,
    -- Counts every change of what may be cached, also of those without a seq.
    version bigint not null default 0,
    -- The last message, else the creation: what "newest activity" means.
    last_message_seq bigint,
    activity_at timestamptz(3) not null,
    member_count integer not null default 0,
    deleted_at timestamptz(3)
);
create index rooms_public on rooms (member_count desc, id) where visibility = 'public' and deleted_at is null;

create table members (
    room_id uuid not null,
    user_id uuid not null,
    role text not null check (role in ('member', 'moderator', 'owner')),
    joined_at timestamptz(3) not null,
    read_seq bigint not null,
    primary key (room_id, user_id)
);
create index members_by_user on members (user_id, room_id);

-- The log. `content` is a message's body, null once it is deleted; `detail` is the rest of the frame.
create table events (
    room_id uuid not null,
    seq bigint not null check (seq > 0),
    kind text not null check (kind in ('message', 'edited', 'deleted', 'reaction', 'member', 'room')),
    at timestamptz(3) not null,
    message_id uuid,
    content jsonb,
    detail jsonb not null,
    primary key (room_id, seq)
);

-- A message as it stands now; its content is that of the event at `content_seq`.
create table messages (
    room_id uuid not null,
    message_id uuid not null,
    seq bigint not null,
    content_seq bigint not null,
    sender_id uuid not null,
    sender_name text not null,
    reply_to uuid,
    mentions uuid[] not null default '{}',
    sent_at timestamptz(3) not null,
    rev integer not null default 0,
    edited_at timestamptz(3),
    deleted_at timestamptz(3),
    deleted_by uuid,
    primary key (room_id, message_id),
    unique (room_id, seq)
);

create table reactions (
    room_id uuid not null,
    message_id uuid not null,
    emoji text not null,
    user_id uuid not null,
    primary key (room_id, message_id, emoji, user_id)
);

-- Gives each draft of `drafts` (a JSON array) the next place in its room's log, or says why not.
--
-- What a write rests on is judged in statements after the one that took the rooms' locks: in READ COMMITTED each of
-- them sees what was committed while that one waited. A seq is given only to what is new.
create function append_messages(drafts jsonb)
returns table (n integer, outcome text, seq bigint, at_ms bigint, content jsonb, detail jsonb)
language plpgsql as $$
#variable_conflict use_column
declare
    draft jsonb;
    room rooms%rowtype;
    known messages%rowtype;
    room_of uuid;
    sender uuid;
    message uuid;
    reply uuid;
    mentioned uuid[];
    name text;
    stamp timestamptz(3);
    place bigint;
    body jsonb;
    rest jsonb;
begin
    -- In the order of their ids, so that two batches can't wait for each other.
    perform 1 from rooms where id in (select (d->>'roomId')::uuid from jsonb_array_elements(drafts) d)
        order by id for update;
    n := -1;
    for draft in select d from jsonb_array_elements(drafts) d loop
        n := n + 1; outcome := null; seq := null; at_ms := null; content := null; detail := null;
        room_of := (draft->>'roomId')::uuid; sender := (draft->>'senderId')::uuid;
        message := (draft->>'messageId')::uuid; reply := (draft->>'replyTo')::uuid;
        mentioned := array(select jsonb_array_elements_text(coalesce(draft->'mentions', '[]'))::uuid);

        select * into room from rooms where id = room_of and deleted_at is null;
        if not found then
            outcome := 'not-found'; return next; continue;
        end if;
        if not exists (select 1 from members where room_id = room_of and user_id = sender) then
            outcome := 'not-a-member-' || room.visibility; return next; continue;
        end if;

        select * into known from messages where room_id = room_of and message_id = message;
        if found then
            if known.sender_id = sender then
                outcome := 'repeated'; seq := known.seq;
                select to_ms(e.at), e.content, e.detail into at_ms, content, detail from events e
                    where e.room_id = room_of and e.seq = known.seq;
            else
                outcome := 'conflict';
            end if;
            return next; continue;
        end if;

        outcome := case
            when (room.encryption = 'none') <> (draft->'content' ? 'message') then 'wrong-content'
            when room.encryption = 'envelope' and not (draft->'content'->'envelope'->>'epoch')::integer
                between room.min_epoch and room.epoch then 'stale-epoch'
            when reply is not null and not exists (
                select 1 from messages where room_id = room_of and message_id = reply) then 'wrong-reply'
            when exists (select 1 from unnest(mentioned) u where not exists (
                select 1 from members where room_id = room_of and user_id = u)) then 'wrong-mentions'
        end;
        if outcome is not null then
            return next; continue;
        end if;

        select display_name into name from users where id = sender;
        place := room.head_seq + 1;
        stamp := greatest(date_trunc('milliseconds', clock_timestamp()), room.last_event_at);
        body := draft->'content';
        rest := jsonb_strip_nulls(jsonb_build_object('messageId', message, 'senderId', sender,
            'senderName', coalesce(name, ''), 'replyTo', reply,
            'mentions', case when cardinality(mentioned) > 0 then to_jsonb(mentioned) end));
        insert into events (room_id, seq, kind, at, message_id, content, detail)
            values (room_of, place, 'message', stamp, message, body, rest);
        insert into messages (room_id, message_id, seq, content_seq, sender_id, sender_name, reply_to, mentions, sent_at)
            values (room_of, message, place, place, sender, coalesce(name, ''), reply, mentioned, stamp);
        update rooms set head_seq = place, last_event_at = stamp, version = version + 1, last_message_seq = place,
            activity_at = stamp where id = room_of;
        outcome := 'appended'; seq := place; at_ms := to_ms(stamp); content := body; detail := rest;
        return next;
    end loop;
end $$;
