-- Full text. It is kept behind the commits, as the contract lets search lag: in the log's own transaction it would more
-- than double what a message of a batch costs.

-- The words of each plaintext message. They only lead to messages: whether one is deleted and what it says now is looked
-- up again by whoever searches.
create table searchable (
    room_id uuid not null,
    message_id uuid not null,
    words tsvector not null,
    primary key (room_id, message_id)
);
-- A search reads the words of its own rooms, not of all.
create index searchable_words on searchable using gin ((array[room_id]), words);

-- Up to which event the log of a room is in there.
create table searchable_to (
    room_id uuid primary key,
    seq bigint not null
);

-- Takes at most `most` events of each room into it, and returns the rooms that have more. The rooms come in the order of
-- their ids, so that two calls can't wait for each other.
create function make_searchable(rooms_of uuid[], most integer) returns setof uuid language plpgsql as $$
declare
    room uuid;
    since bigint;
    upto bigint;
    head bigint;
begin
    foreach room in array rooms_of loop
        insert into searchable_to (room_id, seq) values (room, 0) on conflict do nothing;
        select s.seq into since from searchable_to s where s.room_id = room for update;
        select r.head_seq into head from rooms r
            where r.id = room and r.encryption = 'none' and r.deleted_at is null;
        upto := least(head, since + most);
        if head is null or upto <= since then
            continue;
        end if;
        with touched as (
            select distinct x.message_id from events x
            where x.room_id = room and x.seq > since and x.seq <= upto and x.kind in ('message', 'edited', 'deleted')
        ), gone as (
            delete from searchable s using touched t, messages m
            where s.room_id = room and s.message_id = t.message_id
                and m.room_id = room and m.message_id = t.message_id and m.deleted_at is not null
        )
        insert into searchable (room_id, message_id, words)
        select room, m.message_id, to_tsvector('simple', e.content->>'message')
        from touched t join messages m on m.room_id = room and m.message_id = t.message_id
            join events e on e.room_id = room and e.seq = m.content_seq
        where m.deleted_at is null and e.content ? 'message'
        on conflict (room_id, message_id) do update set words = excluded.words;
        update searchable_to set seq = upto where room_id = room;
        if upto < head then
            return next room;
        end if;
    end loop;
end $$;
