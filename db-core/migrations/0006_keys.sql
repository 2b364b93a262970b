-- What sealed rooms rest on: the devices of people, and the rooms' keys wrapped to them.

create table devices (
    user_id uuid not null,
    id uuid not null,
    public_key bytea not null check (octet_length(public_key) = 32),
    name text,
    created_at timestamptz(3) not null default now(),
    primary key (user_id, id)
);

-- A room's key of one epoch, wrapped to one device. The first one that is handed out stays.
create table room_keys (
    room_id uuid not null,
    user_id uuid not null,
    device_id uuid not null,
    epoch integer not null check (epoch > 0),
    enc bytea not null check (octet_length(enc) = 32),
    ciphertext bytea not null check (octet_length(ciphertext) = 48),
    created_by uuid not null,
    created_at timestamptz(3) not null default now(),
    primary key (room_id, user_id, device_id, epoch)
);
