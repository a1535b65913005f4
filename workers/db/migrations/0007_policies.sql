-- Versions of the policy that were published, and how far their announcement by mail is.

create table policy_versions (
    version text primary key,
    effective date not null,
    material boolean not null,
    summaries jsonb not null,
    state text not null check (state in ('announcing', 'announced', 'recorded')),
    reached_contact_id bigint not null default 0,
    reached_subject_id bigint not null default 0,
    mails bigint not null default 0,
    published_at timestamptz not null,
    changed_at timestamptz not null
);
comment on table policy_versions is
    'One row per version of the policy. announcing: contacts and customers are being told by mail, up to reached_…, so many mails were written; new people too, until it takes effect; announced: it has taken effect; recorded: not material, nobody is told.';
