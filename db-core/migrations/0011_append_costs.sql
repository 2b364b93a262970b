-- What most drafts don't need is judged apart. A subplan costs `append_batch` its set-up at every call, needed or not; a
-- function costs it only where it is called.
create function judge_special(room rooms, sender uuid, body jsonb, reply uuid, mentioned jsonb) returns text
language plpgsql stable as $$
declare
    envelope jsonb := body->'envelope';
begin
    return case
        when room.kind = 'dm' and dm_is_blocked(room.id, sender) then 'blocked'
        when (room.encryption = 'none') <> (body ? 'message') then 'wrong-content'
        when room.encryption = 'envelope' and not (envelope->>'epoch')::integer
            between room.min_epoch and room.epoch then 'stale-epoch'
        when room.encryption = 'envelope' and not exists (select 1 from devices x
            where x.user_id = sender and x.id = (envelope->>'senderDevice')::uuid) then 'wrong-device'
        when reply is not null and not exists (select 1 from messages x
            where x.room_id = room.id and x.message_id = reply) then 'wrong-reply'
        when exists (select 1 from jsonb_array_elements_text(mentioned) u where not exists (
            select 1 from members x where x.room_id = room.id and x.user_id = u::uuid)) then 'wrong-mentions'
    end;
end $$;

-- As in 0008, whose rules it keeps: the judging sees what was committed while the statement before it waited for the
-- rooms' locks. Places are counted by windows over the judged drafts, so that nothing is joined or grouped again.
create or replace function append_batch(rooms_of uuid[], senders uuid[], messages_of uuid[], replies uuid[],
    mentions_of jsonb[], contents jsonb[])
returns table (n bigint, outcome text, seq bigint, at_ms bigint, sender_name text)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    stamp timestamptz(3);
begin
    -- In the order of their ids, so that two batches can't wait for each other.
    perform 1 from rooms where id = any(rooms_of) order by id for update;
    stamp := date_trunc('milliseconds', clock_timestamp());
    return query
    with judged as (
        select d.*, r.head_seq, greatest(stamp, r.last_event_at) at, known.seq known_seq,
            coalesce(u.display_name, '') name,
            case
                when r.id is null then 'not-found'
                when m.user_id is null then 'not-a-member-' || r.visibility
                when known.sender_id = d.sender_id then 'repeated'
                when known.sender_id is not null then 'conflict'
                when r.kind <> 'room' or r.encryption <> 'none' or not d.content ? 'message'
                    or d.reply_to is not null or d.mentions <> '[]'
                    then judge_special(r, d.sender_id, d.content, d.reply_to, d.mentions)
            end refused
        from unnest(rooms_of, senders, messages_of, replies, mentions_of, contents) with ordinality
            d (room_id, sender_id, message_id, reply_to, mentions, content, n)
        left join rooms r on r.id = d.room_id and r.deleted_at is null
        left join members m on m.room_id = d.room_id and m.user_id = d.sender_id
        left join messages known on known.room_id = d.room_id and known.message_id = d.message_id
        left join users u on u.id = d.sender_id
    ), placed as (
        select j.*,
            case when j.refused is null then
                j.head_seq + count(*) filter (where j.refused is null) over (partition by j.room_id order by j.n)
            end place,
            count(*) filter (where j.refused is null) over (partition by j.room_id) places
        from judged j
    ), logged as (
        insert into events (room_id, seq, kind, at, message_id, content, detail)
        select p.room_id, p.place, 'message', p.at, p.message_id, p.content,
            jsonb_strip_nulls(jsonb_build_object('messageId', p.message_id, 'senderId', p.sender_id,
                'senderName', p.name, 'replyTo', p.reply_to, 'mentions', nullif(p.mentions, '[]')))
        from placed p where p.place is not null
    ), stated as (
        insert into messages (room_id, message_id, seq, content_seq, sender_id, sender_name, reply_to, mentions, sent_at)
        select p.room_id, p.message_id, p.place, p.place, p.sender_id, p.name, p.reply_to,
            case when p.mentions = '[]' then '{}'
                else array(select u::uuid from jsonb_array_elements_text(p.mentions) u) end, p.at
        from placed p where p.place is not null
    ), moved as (
        update rooms r set head_seq = p.place, last_event_at = p.at, version = r.version + p.places,
            last_message_seq = p.place, activity_at = p.at
        from placed p where r.id = p.room_id and p.place = p.head_seq + p.places
    )
    select p.n, coalesce(p.refused, 'appended'), coalesce(p.place, p.known_seq),
        (extract(epoch from p.at) * 1000)::bigint, p.name
    from placed p;
end $$;
