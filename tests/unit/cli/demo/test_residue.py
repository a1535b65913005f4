"""Where a trace lies, in words; and that nothing of a directory is left out of a search."""

from pathlib import Path

import pytest

from workers.cli.demo import residue
from workers.cli.demo.people import ASKING
from workers.cli.demo.residue import Search

DATABASES = {16384: "lethe", 16999: "shop"}
_FOLDERS = ("mails", "shop", "a", "b/c", "kafka")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("kafka/data/orders-0/00000000000000000000.log", "Kafka: topics that the shop publishes on"),
        ("kafka/data/consents-1/00000000000000000007.log.deleted", "Kafka: topics that the shop publishes on"),
        ("kafka/data/carrier.ups.addresses-1/00000000000000000000.log", "Kafka: topics that carriers read"),
        ("kafka/data/shop.parcels-0/00000000000000000000.log", "Kafka: the shop's parcels (a store)"),
        ("kafka/data/ledger-0/00000000000000000000.log", "Kafka: everything else"),
        ("kafka/broker.log", "Kafka: everything else"),
        ("postgres/cluster/base/16384/1259", "PostgreSQL: Lethe's database, sealed"),
        ("postgres/cluster/base/16999/24576.1", "PostgreSQL: the shop's database (a store)"),
        ("postgres/cluster/base/5/1259", "PostgreSQL: everything else"),
        ("postgres/cluster/global/1260", "PostgreSQL: everything else"),
        ("postgres/cluster/pg_wal/000000010000000000000001", "PostgreSQL: write-ahead log of both"),
        ("shop/exports/customers.csv", "The shop's exports (a store)"),
        ("mails/00000001.eml", "Mailboxes of all people (the sink)"),
        ("keyring/epochs/1", "Keyring"),
        ("workers/relay.log", "Logs of workers, settings, store files"),
        ("env", "Logs of workers, settings, store files"),
    ],
)
def test_each_file_belongs_to_a_place_that_is_shown(path: str, place: str) -> None:
    assert residue.place_of(Path(path), DATABASES) == place
    assert place in residue.PLACES


def test_every_token_is_looked_for_in_every_folder(tmp_path: Path) -> None:
    search = Search(ASKING.tokens, tmp_path, DATABASES)
    for number, (folder, token) in enumerate(zip(_FOLDERS, ASKING.tokens.values(), strict=True)):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{number}.txt").write_text(f"x {token.upper()} y")
    found = search.everywhere()
    assert (found.tokens, found.files, found.unread) == (frozenset(range(1, 6)), 5, ())
    assert found.traces == {
        "Mailboxes of all people (the sink)": 1, "The shop's exports (a store)": 1,
        "Logs of workers, settings, store files": 2, "Kafka: everything else": 1,
    }  # fmt: skip
    assert search.in_kafka().total == 1
    assert not found.is_clean
    assert Search({"name": "Somebody Else"}, tmp_path, DATABASES).everywhere().is_clean
