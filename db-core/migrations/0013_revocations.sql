-- The sessions that were ended lately are listed once a second.
create index sessions_by_revocation on sessions (revoked_at) where revoked_at is not null;

-- Moves with each new password, and not when the same one is hashed anew.
alter table users add column password_version bigint not null default 0;

-- An account was last seen when one of its sessions was.
alter table users drop column last_seen_at;
