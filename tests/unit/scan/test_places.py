"""What a file is, told by its place and name."""

from pathlib import PurePath

import pytest

from workers.scan import places
from workers.scan.kafka_batches import KafkaBatches
from workers.scan.postgres_files import PostgresPages, WalPages

_NUMBER = "00000000000000000042"


@pytest.mark.parametrize(
    ("path", "what", "decoder"),
    [
        (f"data/orders-0/{_NUMBER}.log", "Kafka segment", KafkaBatches),
        (f"data/orders-0/{_NUMBER}.log.deleted", "Kafka segment, deleted", KafkaBatches),
        (f"data/orders-0/{_NUMBER}.log.cleaned", "Kafka segment, being compacted", KafkaBatches),
        (f"data/orders-0/{_NUMBER}.log.swap", "Kafka segment, being swapped in", KafkaBatches),
        (f"data/orders-0.8f2c-delete/{_NUMBER}.log", "Kafka segment, deleted topic", KafkaBatches),
        (f"data/orders-0/{_NUMBER}.timeindex.deleted", "Kafka index, deleted", None),
        (f"data/orders-0/{_NUMBER}.snapshot", "Kafka producer snapshot", None),
        ("cluster/base/5/16384", "PostgreSQL table or index", PostgresPages),
        ("cluster/base/5/16384.3", "PostgreSQL table or index", PostgresPages),
        ("cluster/base/5/t3_16384", "PostgreSQL table or index", PostgresPages),
        ("cluster/global/1262", "PostgreSQL table or index", PostgresPages),
        ("cluster/base/5/2619", "PostgreSQL statistics", PostgresPages),
        ("cluster/pg_wal/00000001000000000000000A", "PostgreSQL WAL", WalPages),
        ("cluster/base/pgsql_tmp/pgsql_tmp12.0", "PostgreSQL temporary file", None),
        ("mails/1.eml", "mail", None),
        ("kafka/broker.log", "log", None),
        ("env", "file", None),
    ],
)
def test_a_file_is_known_by_its_place(path: str, what: str, decoder: type | None) -> None:
    assert places.describe(PurePath(path)) == what
    made = places.decoder(PurePath(path), 100)
    assert made is None if decoder is None else isinstance(made, decoder)
