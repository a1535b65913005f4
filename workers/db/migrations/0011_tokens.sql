-- One link may be about several consent records: a row for each, under the same hash.

alter table tokens drop constraint tokens_pkey;
alter table tokens add constraint tokens_token_hash_record_id_key unique nulls not distinct (token_hash, record_id);
comment on table tokens is
    'Single-use links in mails (confirm, preferences): a keyed hash of the token, never the token. A link that is about several consent records has a row for each; a no to one closes its row alone.';
