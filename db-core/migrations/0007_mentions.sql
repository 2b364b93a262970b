-- Mentions above a marker are counted without a look at all that mentions nobody.
create index messages_with_mentions on messages (room_id, seq) where mentions <> '{}';
