-- What becomes of a message after it was sent: edits, deletions, reactions. Each is one function, so that judging and
-- writing are one round trip under the room's lock.

-- When a reaction was added, by its event: reactions are shown in the order of their first.
alter table reactions add column seq bigint not null default 0;

-- A deletion finds the edits of its message.
create index events_edits on events (room_id, message_id) where kind = 'edited';

-- Gives an event about a message the next place in the log of a locked room.
create function take_place(room_of uuid, kind_of text, message uuid, body jsonb, rest jsonb)
returns table (seq bigint, at timestamptz) language sql as $$
    with head as (
        update rooms set head_seq = head_seq + 1, version = version + 1,
            last_event_at = greatest(date_trunc('milliseconds', clock_timestamp()), last_event_at)
        where id = room_of returning head_seq, last_event_at)
    insert into events (room_id, seq, kind, at, message_id, content, detail)
        select room_of, head_seq, kind_of, last_event_at, message, body, rest from head
        returning seq, at
$$;

-- Locks the room, then looks, in later statements: at who asks, at the message, and whether the two of a direct
-- conversation have blocked each other. `refused` says why there is nothing to go on with.
create function open_message(room_of uuid, who uuid, message uuid,
    out refused text, out room rooms, out mine text, out known messages, out blocked boolean)
language plpgsql as $$
begin
    select * into room from rooms where id = room_of and deleted_at is null for update;
    if not found then
        refused := 'not-found'; return;
    end if;
    select role into mine from members where room_id = room_of and user_id = who;
    if not found then
        refused := 'not-a-member-' || room.visibility; return;
    end if;
    select * into known from messages where room_id = room_of and message_id = message;
    if not found then
        refused := 'not-found'; return;
    end if;
    blocked := room.kind = 'dm' and exists (
        select 1 from members a join members b on b.room_id = a.room_id
            join blocks x on x.user_id = a.user_id and x.blocked_id = b.user_id
        where a.room_id = room_of);
end $$;

-- Each of these answers how it ended, and with `changed` its event: place, time and detail.

create function edit_message(room_of uuid, who uuid, message uuid, body jsonb)
returns table (outcome text, seq bigint, at_ms bigint, detail jsonb) language plpgsql as $$
#variable_conflict use_column
declare
    o record;
    epoch_of bigint := (body->'envelope'->>'epoch')::bigint;
    rev_of bigint := (body->'envelope'->>'rev')::bigint;
    place bigint;
    stamp timestamptz(3);
begin
    select * into o from open_message(room_of, who, message);
    outcome := case
        when o.refused is not null then o.refused
        when (o.known).sender_id <> who then 'not-the-author'
        when o.blocked then 'blocked'
        when ((o.room).encryption = 'none') <> (body ? 'message') then 'wrong-content'
        when (o.known).deleted_at is not null then 'deleted'
        when epoch_of not between (o.room).min_epoch and (o.room).epoch then 'stale-epoch'
        when body ? 'envelope' and not exists (select 1 from devices x
            where x.user_id = who and x.id = (body->'envelope'->>'senderDevice')::uuid) then 'wrong-device'
        when rev_of <> (o.known).rev + 1 then 'wrong-rev'
        when body ? 'message' and exists (select 1 from events e
            where e.room_id = room_of and e.seq = (o.known).content_seq and e.content = body) then 'unchanged'
        else 'changed'
    end;
    if outcome = 'changed' then
        detail := jsonb_build_object('messageId', message);
        select p.seq, p.at into place, stamp from take_place(room_of, 'edited', message, body, detail) p;
        update messages set content_seq = place, rev = rev + 1, edited_at = stamp
            where room_id = room_of and message_id = message;
        seq := place; at_ms := to_ms(stamp);
    end if;
    return next;
end $$;

create function delete_message(room_of uuid, who uuid, message uuid)
returns table (outcome text, seq bigint, at_ms bigint, detail jsonb) language plpgsql as $$
#variable_conflict use_column
declare
    o record;
    place bigint;
    stamp timestamptz(3);
begin
    select * into o from open_message(room_of, who, message);
    outcome := case
        when o.refused is not null then o.refused
        when (o.known).sender_id <> who and o.mine = 'member' then 'not-yours'
        when (o.known).sender_id <> who and o.blocked then 'blocked'
        when (o.known).deleted_at is not null then 'unchanged'
        else 'changed'
    end;
    if outcome = 'changed' then
        detail := jsonb_build_object('messageId', message, 'deletedBy', who);
        select p.seq, p.at into place, stamp from take_place(room_of, 'deleted', message, null, detail) p;
        update messages set deleted_at = stamp, deleted_by = who where room_id = room_of and message_id = message;
        update events e set content = null where e.room_id = room_of and (e.seq = (o.known).seq
            or e.seq in (select x.seq from events x
                where x.room_id = room_of and x.message_id = message and x.kind = 'edited'));
        delete from reactions where room_id = room_of and message_id = message;
        seq := place; at_ms := to_ms(stamp);
    end if;
    return next;
end $$;

-- `most`: how many different reactions one message may have.
create function react(room_of uuid, who uuid, message uuid, sign text, op text, most integer)
returns table (outcome text, seq bigint, at_ms bigint, detail jsonb) language plpgsql as $$
#variable_conflict use_column
declare
    o record;
    has boolean;
    place bigint;
    stamp timestamptz(3);
begin
    select * into o from open_message(room_of, who, message);
    has := exists (select 1 from reactions r
        where r.room_id = room_of and r.message_id = message and r.emoji = sign and r.user_id = who);
    outcome := case
        when o.refused is not null then o.refused
        when o.blocked then 'blocked'
        when op = 'added' and (o.known).deleted_at is not null then 'deleted'
        when has = (op = 'added') then 'unchanged'
        when op = 'added' and most <= (select count(distinct r.emoji) from reactions r
            where r.room_id = room_of and r.message_id = message and r.emoji <> sign) then 'too-many-reactions'
        else 'changed'
    end;
    if outcome = 'changed' then
        detail := jsonb_build_object('messageId', message, 'userId', who, 'emoji', sign, 'op', op);
        select p.seq, p.at into place, stamp from take_place(room_of, 'reaction', message, null, detail) p;
        if op = 'added' then
            insert into reactions (room_id, message_id, emoji, user_id, seq)
                values (room_of, message, sign, who, place);
        else
            delete from reactions r
                where r.room_id = room_of and r.message_id = message and r.emoji = sign and r.user_id = who;
        end if;
        seq := place; at_ms := to_ms(stamp);
    end if;
    return next;
end $$;
