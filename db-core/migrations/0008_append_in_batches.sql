-- Gives each draft of a batch the next place in its room's log, or says why not: a few statements for all of them, however
-- many they are. The arrays run in parallel, one element a draft, in the order written.
--
-- What a write rests on is judged in statements after the one that took the rooms' locks: in READ COMMITTED each of
-- them sees what was committed while that one waited. A seq is given only to what is new. A batch names a message once,
-- and no draft replies to another of its batch: the caller holds such ones back for the next.
--
-- Drafts are few against the tables, so that what they refer to is always looked up by key.
create function append_batch(rooms_of uuid[], senders uuid[], messages_of uuid[], replies uuid[], mentions_of jsonb[],
    contents jsonb[])
returns table (n bigint, outcome text, seq bigint, at_ms bigint, sender_name text)
language plpgsql
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
#variable_conflict use_column
declare
    stamp timestamptz(3);
begin
    -- In the order of their ids, so that two batches can't wait for each other.
    perform 1 from rooms where id = any(rooms_of) order by id for update;
    stamp := date_trunc('milliseconds', clock_timestamp());
    return query
    with draft as (
        select d.n, d.room_id, d.sender_id, d.message_id, d.reply_to, d.content,
            array(select jsonb_array_elements_text(d.mentions)::uuid) mentions
        from unnest(rooms_of, senders, messages_of, replies, mentions_of, contents) with ordinality
            d (room_id, sender_id, message_id, reply_to, mentions, content, n)
    ), judged as (
        select d.*, r.head_seq, r.last_event_at, known.seq known_seq,
            (select u.display_name from users u where u.id = d.sender_id) display_name,
            case
                when r.id is null then 'not-found'
                when m.user_id is null then 'not-a-member-' || r.visibility
                when known.sender_id = d.sender_id then 'repeated'
                when known.sender_id is not null then 'conflict'
                when r.kind = 'dm' and dm_is_blocked(d.room_id, d.sender_id) then 'blocked'
                when (r.encryption = 'none') <> (d.content ? 'message') then 'wrong-content'
                when r.encryption = 'envelope' and not (d.content->'envelope'->>'epoch')::integer
                    between r.min_epoch and r.epoch then 'stale-epoch'
                when r.encryption = 'envelope' and not exists (select 1 from devices x where x.user_id = d.sender_id
                    and x.id = (d.content->'envelope'->>'senderDevice')::uuid) then 'wrong-device'
                when d.reply_to is not null and not exists (select 1 from messages x
                    where x.room_id = d.room_id and x.message_id = d.reply_to) then 'wrong-reply'
                when d.mentions <> '{}' and exists (select 1 from unnest(d.mentions) u where not exists (
                    select 1 from members x where x.room_id = d.room_id and x.user_id = u)) then 'wrong-mentions'
            end refused
        from draft d
        left join rooms r on r.id = d.room_id and r.deleted_at is null
        left join members m on m.room_id = d.room_id and m.user_id = d.sender_id
        left join messages known on known.room_id = d.room_id and known.message_id = d.message_id
    ), taken as (
        select j.*, coalesce(j.display_name, '') name, greatest(stamp, j.last_event_at) at,
            j.head_seq + row_number() over (partition by j.room_id order by j.n) place
        from judged j where j.refused is null
    ), logged as (
        insert into events (room_id, seq, kind, at, message_id, content, detail)
        select t.room_id, t.place, 'message', t.at, t.message_id, t.content,
            jsonb_strip_nulls(jsonb_build_object('messageId', t.message_id, 'senderId', t.sender_id,
                'senderName', t.name, 'replyTo', t.reply_to,
                'mentions', case when t.mentions <> '{}' then to_jsonb(t.mentions) end))
        from taken t
    ), stated as (
        insert into messages (room_id, message_id, seq, content_seq, sender_id, sender_name, reply_to, mentions, sent_at)
        select t.room_id, t.message_id, t.place, t.place, t.sender_id, t.name, t.reply_to, t.mentions, t.at from taken t
    ), moved as (
        update rooms r set head_seq = l.place, last_event_at = l.at, version = r.version + l.count,
            last_message_seq = l.place, activity_at = l.at
        from (select t.room_id, max(t.place) place, max(t.at) at, count(*) count from taken t group by t.room_id) l
        where r.id = l.room_id
    )
    select j.n, coalesce(j.refused, 'appended'), coalesce(t.place, j.known_seq), to_ms(t.at), t.name
    from judged j left join taken t on t.n = j.n;
end $$;
