"""The stores' files."""

from pathlib import Path
from uuid import uuid4

import pytest

from schemas.store import TaskSubject
from tests.support import stores
from tests.support.lethe import ROOT
from workers.errors import UsageError
from workers.stores import connectors, directory, jwe
from workers.stores.connector import Misconfigured

HEAD = "name: crm\ntitle: The CRM\nkind: http\nidentifiers: [email]\n"


def written(folder: Path, text: str, name: str = "crm.yaml") -> Path:
    (folder / name).write_text(text)
    return folder


def test_the_stores_that_come_with_lethe_are_read_and_disabled(tmp_path: Path) -> None:
    found = directory.load(ROOT / "deploy/stores/examples", tmp_path)
    assert len(found) >= 4
    assert not any(store.enabled for store in found.values())


def test_the_options_that_come_with_lethe_are_right(tmp_path: Path) -> None:
    for store in directory.load(ROOT / "deploy/stores/examples", tmp_path).values():
        if store.kind != "external":
            connectors.connect(store, stores.AROUND)


def test_no_store_is_no_mistake(tmp_path: Path) -> None:
    assert directory.load(tmp_path, tmp_path) == {}
    assert directory.create_keys(tmp_path / "missing", tmp_path) == []
    with pytest.raises(UsageError, match="LETHE_STORES_DIR"):
        directory.load(tmp_path / "missing", tmp_path)


def test_keys_are_made_for_the_stores_that_lethe_works_on(tmp_path: Path) -> None:
    key = jwe.public_text(jwe.generate())
    external = f"name: erp\ntitle: ERP\nkind: external\nidentifiers: [email]\npublic_key: {key}"
    written(tmp_path, HEAD)
    written(tmp_path, external, "erp.yaml")
    assert directory.create_keys(tmp_path, tmp_path) == ["crm"]
    assert directory.create_keys(tmp_path, tmp_path) == []
    found = directory.load(tmp_path, tmp_path)
    assert all(store.key is not None for store in found.values())
    assert not (tmp_path / "stores/erp.key").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD.replace("crm", "erp"), "rename the file to erp.yaml"),
        (HEAD.replace("http", "ftp"), "kind"),
        (HEAD.replace("[email]", "[]"), "identifiers"),
        (HEAD.replace("[email]", "[email, email]"), "identifiers names one twice"),
        (HEAD.replace("[email]", "[iban]"), "identifiers"),
        (HEAD + "public_key: abc", "public_key belongs to a store of kind external"),
        (HEAD.replace("http", "external") + "public_key: abc", "no X25519 public key"),
        (HEAD.replace("http", "external"), "public_key belongs"),
        (HEAD + "max_subjects_per_task: 1001", "max_subjects_per_task"),
        (HEAD + "enable: true", "enable: is not a known key"),
    ],
)
def test_a_wrong_head_is_one_line_that_names_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        directory.load(written(tmp_path, text), tmp_path)
    assert "crm.yaml" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("most", "characters", "sizes"), [(3, 20, [3, 3, 1]), (1000, 400_000, [2, 2, 2, 1]), (7, 9, [7])]
)
def test_tasks_are_as_large_as_the_store_takes_and_the_topic_carries(
    most: int, characters: int, sizes: list[int]
) -> None:
    store = stores.store("folder", {}, max_subjects_per_task=most)
    made = [TaskSubject.model_construct(subject_ref=uuid4(), identifiers="x" * characters) for _ in range(7)]
    parts = list(directory.split(store, made))
    assert [len(part) for part in parts] == sizes
    assert [one for part in parts for one in part] == made
    assert list(directory.split(store, [])) == []


def test_wrong_options_are_the_business_of_that_store_alone(tmp_path: Path) -> None:
    found = directory.load(written(tmp_path, HEAD + "options: {base_url: 7}"), tmp_path)
    with pytest.raises(Misconfigured, match=r"options\."):
        connectors.connect(found["crm"], stores.AROUND)
