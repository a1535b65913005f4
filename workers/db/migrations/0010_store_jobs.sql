-- What the worker `stores` has to do, and how each store has answered lately.

create table store_jobs (
    store_job_id bigint generated always as identity primary key,
    task_id uuid not null unique,
    store text not null,
    action text not null check (action in ('erase', 'verify', 'find')),
    subject_count integer not null,
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    respond_by timestamptz not null,
    claimed_by text,
    claimed_until timestamptz,
    reason text,
    asked_at timestamptz,
    token_hash uuid unique,
    wrapped_key bytea not null,
    key_epoch integer not null,
    sealed bytea not null,
    created_at timestamptz not null
);
comment on table store_jobs is
    'One row per task that a store has not answered yet; the receipt and the end of the row are one transaction. sealed: the task, under a key of its own that is wrapped by a key epoch, so that a copy of a row that has ended is unreadable once the epoch is destroyed. asked_at, token_hash: a person was asked by mail, and the link that answers.';
create index store_jobs_due on store_jobs (store, next_attempt_at, store_job_id);

create table store_states (
    store text primary key,
    failures_in_a_row integer not null default 0,
    open_until timestamptz,
    reason text,
    failed_at timestamptz,
    answered_at timestamptz
);
comment on table store_states is
    'How a store answered last. open_until: the circuit is open, nobody asks the store before.';
