"""`python -m bench`: Lethe beside other ways to do the same work, on one machine, in one run.

**The work.** N `order.placed` events lie in a topic of 4 partitions, 1 % of them published twice. Each
must become one record with the minimal address on the topic of its carrier. Everything is real: Kafka with
acks=all and idempotent producers, PostgreSQL with fsync on, readers that see committed records only.

**The contenders**, each in a process of its own, each from an empty database and with output topics of its
own:

| name | guarantee | what it is |
|---|---|---|
| `lethe` | exactly once | the shipping worker as it ships, default settings |
| `raw_loop_pipelined` | exactly once | one file on aiokafka and asyncpg: the same rows, nothing else |
| `plain_at_least_once` | at least once | aiokafka and asyncpg in batches; nothing sealed, no outbox |
| `tuned_faststream` | at least once | FastStream with whole batches and unconfirmed publishing |
| `naive_faust` | at least once at best | a Faust agent as its documentation shows it, an event at a time |
| `naive_faststream` | at least once | a FastStream subscriber, an event at a time |

**orders_per_s** is unique orders divided by seconds. The clock starts when the contender's Kafka client
hands it the first records (`clock`; the same hook in every process, so starting up never counts) and ends
when the last address is visible to a reader of committed records, seen from outside (`observer`).
Afterwards every output topic is read: a contender that lost, repeated or invented one record has no
result, and the run fails.

**latency_ms** is from the instant at which an order should be published (an open loop of 1,000 a second: a
producer that falls behind does not hide it, "coordinated omission") to the instant at which a reader of
committed records has the address.

**rss_mb** is the highest resident memory of the contender's process (VmHWM), over all rounds.

**mails_per_s** is an issue to 20,000 subscribers, about 5 KB each, signed twice (RSA-2048, Ed25519), into one sink in
a process of its own (`mail_sink`; it could take several times as much, see `sink_us_per_mail`):

| name | what it is |
|---|---|
| `lethe` | the mailer as it ships, without a limit to its rate: sealed addresses, consents held while a mail begins |
| `bare_aiosmtplib` | one file: plain addresses, a ledger with the same states, a look at the consent, no lock |

Both have their recipients in the ledger before, ten connections, a personal link in each mail, and build and sign it by
the same functions. The clock runs from the first to the last mail at the sink. Each recipient must get exactly one.
`--mails-soak` tells the mailer's memory in the first and in the last quarter of one long issue.

Rounds are interleaved (A B C, A B C), the median is quoted beside the range: machines are noisy, and a
contender's neighbours on two cores are the broker and the database, which do its share of the work.
Compare within one run.
"""
