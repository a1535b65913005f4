-- Dead letters are kept for a time only, and whoever opens one is written down.

alter table dead_letters drop constraint dead_letters_state_check;
alter table dead_letters add constraint dead_letters_state_check
    check (state in ('parked', 'replaying', 'replayed', 'dropped', 'expired'));

create table staff_disclosures (
    disclosure_id bigint generated always as identity primary key,
    dead_letter_id uuid not null,
    reference_hash uuid,
    recipient text not null,
    fields text not null,
    ground text not null,
    disclosed_at timestamptz not null
);
comment on table staff_disclosures is
    'Which member of staff was shown a refused event in the clear, when and on which ground (GDPR 15(1)(c)): the ledger beside disclosures, which is about carriers. reference_hash is the person''s, where the event named one.';
create index staff_disclosures_reference_hash on staff_disclosures (reference_hash);
