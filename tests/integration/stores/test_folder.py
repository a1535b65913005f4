"""What is particular to a folder: every byte of the others, drafts, files that change or do not read."""

from pathlib import Path
from typing import Any

import pytest

from tests.support import stores
from tests.support.sites.folder import FolderSite
from tests.support.stores import customers
from workers.stores import connectors, folder
from workers.stores.connector import Connector, Misconfigured, Person, Unavailable

ADA, BO = (Person(stores.uuid4(), {k: tuple(v) for k, v in one.identifiers.items()}) for one in customers(2))


def connected(site: FolderSite, **changed: Any) -> Connector:
    store = stores.store("folder", {**site.options, **changed}, name="exports")
    return connectors.connect(store, stores.AROUND)


@pytest.fixture
def site(tmp_path: Path) -> FolderSite:
    return FolderSite(tmp_path)


async def test_every_byte_of_the_others_stays(site: FolderSite) -> None:
    """Byte order mark, line ends of three kinds, quotes, blank lines, a last line without an end."""
    path = site.folder / "customers.csv"
    kept = '"x@example.org";c-9;"a ""b"" ;\r\n\nc"\n\r\n;;\r\ny@example.org;c-8;last'
    mine = '"Person1@example.org";c-1;"two\r\nlines"\r\n'
    head = path.read_bytes()
    path.write_bytes(head + mine.encode() + kept.encode())
    found = await connected(site).erase([ADA])
    assert found[ADA.subject_ref].counts == {"customers": 1}
    assert path.read_bytes() == head + kept.encode()


async def test_mode_and_time_of_a_file_that_is_replaced_stay(site: FolderSite) -> None:
    await site.plant(customers(2))
    path = site.folder / "customers.csv"
    path.chmod(0o640)
    await connected(site).erase([ADA])
    assert path.stat().st_mode & 0o777 == 0o640
    assert sorted(one.name for one in site.folder.iterdir()) == ["customers.csv", "events"], "no draft is left"


async def test_what_a_crash_left_behind_is_removed(site: FolderSite) -> None:
    await site.plant(customers(1))
    draft = site.folder / f".customers.csv.1234{folder._DRAFT}"
    draft.write_text("Person1@example.org")
    await connected(site).erase([BO])
    assert not draft.exists()


async def test_a_file_that_changes_meanwhile_is_left_alone(site: FolderSite, monkeypatch: pytest.MonkeyPatch) -> None:
    await site.plant(customers(1))
    path = site.folder / "customers.csv"
    copy = folder.shutil.copystat

    def copy_while_somebody_writes(source: Path, target: Path) -> None:
        copy(source, target)
        with path.open("a") as file:
            file.write("new@example.org;c-5;new\r\n")

    monkeypatch.setattr(folder.shutil, "copystat", copy_while_somebody_writes)
    with pytest.raises(Unavailable, match="was changed while it was read"):
        await connected(site).erase([ADA])
    assert "new@example.org" in path.read_text()
    assert "Person1@example.org" in path.read_text()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("customers.csv", b"E-mail;Ref;Remark\r\nx@example.org;c-9\r\n"),
        ("customers.csv", b"E-mail;Ref;Remark\r\n\xff\xfe;c-9;\r\n"),
        ("customers.csv", b'E-mail;Ref;Remark\r\n"open;c-9;\r\n'),
        ("events/1.jsonl", b'{"user": {"email": "x@example.org"}\n'),
        ("events/1.jsonl", b'["x@example.org"]\n'),
    ],
)
async def test_what_does_not_read_is_no_absence(site: FolderSite, name: str, content: bytes) -> None:
    (site.folder / name).write_bytes(content)
    with pytest.raises(Unavailable, match="does not read as") as raised:
        await connected(site).find([ADA])
    assert "example.org" not in str(raised.value)


async def test_a_column_that_is_not_there_is_no_absence(site: FolderSite) -> None:
    (site.folder / "customers.csv").write_text("Mail;Ref;Remark\r\n")
    with pytest.raises(Misconfigured, match="no column E-mail"):
        await connected(site).find([ADA])


async def test_a_link_out_of_the_folder_is_not_followed(site: FolderSite, tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("E-mail;Ref;Remark\r\nPerson1@example.org;c-1;\r\n")
    (site.folder / "link.csv").symlink_to(outside)
    await connected(site).erase([ADA])
    assert "Person1@example.org" in outside.read_text()
