-- As in 0004, out of the log alone: what a message says now is what its last event with a content says, and the content of
-- what is deleted is gone from the log. An event beyond `upto` has its own turn.
create or replace function make_searchable(rooms_of uuid[], most integer) returns setof uuid language plpgsql as $$
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
        delete from searchable s using events x
        where x.room_id = room and x.seq > since and x.seq <= upto and x.kind = 'deleted'
            and s.room_id = room and s.message_id = x.message_id;
        insert into searchable (room_id, message_id, words)
        select distinct on (x.message_id) room, x.message_id, to_tsvector('simple', x.content->>'message')
        from events x
        where x.room_id = room and x.seq > since and x.seq <= upto and x.kind in ('message', 'edited')
            and x.content ? 'message'
        order by x.message_id, x.seq desc
        on conflict (room_id, message_id) do update set words = excluded.words;
        update searchable_to set seq = upto where room_id = room;
        if upto < head then
            return next room;
        end if;
    end loop;
end $$;
