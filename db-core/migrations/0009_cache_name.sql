-- Which cache counts, when several db-core share one (consistency rule 11). One row; it changes only by compare-and-set on
-- generation and state.
create table cache_name (
    sole boolean primary key default true check (sole),
    -- Prefix of every key.
    generation uuid not null,
    -- Of the Redis process, and of its replication history.
    run_id text not null,
    replication_id text not null,
    state text not null check (state in ('closed', 'filling', 'open'))
);
insert into cache_name (generation, run_id, replication_id, state) values (gen_random_uuid(), '', '', 'closed');

-- Counts the changes of members and settings, which are cached apart from messages.
alter table rooms add column rules bigint not null default 0;
