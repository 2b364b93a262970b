-- The sessions that were ended lately are listed once a second.
create index sessions_by_revocation on sessions (revoked_at) where revoked_at is not null;

-- An account was last seen when one of its sessions was.
alter table users drop column last_seen_at;
