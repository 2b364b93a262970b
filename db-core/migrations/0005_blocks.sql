-- What a block does to the direct conversation of two people.

-- Whether a room is one of which either blocks the other; `member` is one of the two.
create function dm_is_blocked(room uuid, member uuid) returns boolean language plpgsql stable as $$
begin
    if not exists (select 1 from rooms where id = room and kind = 'dm') then
        return false;
    end if;
    return exists (select 1 from members o join blocks b
        on b.user_id = o.user_id and b.blocked_id = member or b.user_id = member and b.blocked_id = o.user_id
        where o.room_id = room and o.user_id <> member);
end $$;
