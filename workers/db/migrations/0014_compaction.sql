alter table erasure_rounds add column withdrawn jsonb;
alter table erasure_rounds add column compacted_at timestamptz;
comment on column erasure_rounds.withdrawn is
    'The shipments whose addresses carriers'' topics ever held of the persons of the round, by topic; forgotten once none of them can be read there. compacted_at: when that was seen.';
