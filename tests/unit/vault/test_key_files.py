"""The keyring's files: an epoch that was destroyed stays destroyed, whatever a crash or a restored backup left."""

import os
from pathlib import Path

import pytest

from workers.errors import KeyMissing, KeyNotHere, UsageError
from workers.vault import key_files, keyring


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "ring"
    keyring.create(made)
    key_files.create_epoch(made, 2)
    return made


def test_a_destroyed_epoch_leaves_a_number_and_no_key(folder: Path) -> None:
    key = (folder / "epochs/1.key").read_text()
    key_files.destroy(folder, 1)
    assert sorted(os.listdir(folder / "epochs")) == ["2.key"]
    assert key_files.destroyed(folder) == {1}
    assert not any(key in path.read_text() for path in folder.rglob("*") if path.is_file())
    assert keyring.load(folder).epochs == {2}


def test_the_bytes_are_overwritten_where_they_lie(folder: Path, tmp_path: Path) -> None:
    key = (folder / "epochs/1.key").read_text()
    os.link(folder / "epochs/1.key", tmp_path / "other name")
    key_files.destroy(folder, 1)
    assert (tmp_path / "other name").stat().st_size == len(key)
    assert key.encode() not in (tmp_path / "other name").read_bytes()


def test_what_a_crash_left_of_the_making_goes_too(folder: Path) -> None:
    (folder / "epochs/1.key.00ff.new").write_text((folder / "epochs/1.key").read_text())
    (folder / "epochs/2.key.00ff.new").write_text("ab" * 32)
    key_files.destroy(folder, 1)
    assert sorted(os.listdir(folder / "epochs")) == ["2.key", "2.key.00ff.new"]


def test_a_file_that_a_backup_brings_back_is_refused_and_destroyed_again(folder: Path) -> None:
    old = (folder / "epochs/1.key").read_text()
    key_files.destroy(folder, 1)
    (folder / "epochs/1.key").write_text(old)
    ring = keyring.load(folder)
    assert ring.epochs == {2}
    assert not (folder / "epochs/1.key").exists()
    with pytest.raises(KeyMissing, match="key epoch 1 is not in the keyring"):
        ring.kek(1)


def test_a_directory_that_cannot_be_written_is_no_reason_to_use_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = (folder / "epochs/1.key").read_text()
    key_files.destroy(folder, 1)
    (folder / "epochs/1.key").write_text(old)

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(key_files, "destroy", refuse)
    assert keyring.load(folder).epochs == {2}


def test_destroying_again_finishes_what_was_cut_short(folder: Path) -> None:
    (folder / "destroyed/1").touch()
    key_files.destroy(folder, 1)
    key_files.destroy(folder, 1)
    assert sorted(os.listdir(folder / "epochs")) == ["2.key"]


def test_a_keyring_made_by_an_older_version_has_no_list_yet(folder: Path) -> None:
    (folder / "destroyed").rmdir()
    assert keyring.load(folder).epochs == {1, 2}
    key_files.destroy(folder, 1)
    assert key_files.destroyed(folder) == {1}


def test_the_first_epoch_is_not_made_again_once_it_was_destroyed(folder: Path) -> None:
    key_files.destroy(folder, 1)
    key_files.destroy(folder, 2)
    keyring.create(folder)
    with pytest.raises(UsageError, match="no key epoch"):
        keyring.load(folder)


def test_a_running_keyring_finds_an_epoch_that_was_made_meanwhile(folder: Path) -> None:
    ring = keyring.load(folder)
    key_files.create_epoch(folder, 3)
    ring.wrap_under(3)
    assert ring.current_epoch == 3
    assert ring.kek(3).decrypt(bytes(12), keyring.load(folder).kek(3).encrypt(bytes(12), b"k", None), None) == b"k"


def test_an_epoch_that_has_not_arrived_here_is_waited_for(folder: Path) -> None:
    ring = keyring.load(folder)
    with pytest.raises(KeyNotHere, match="key epoch 3 is not in this keyring yet"):
        ring.wrap_under(3)
    assert ring.current_epoch == 2
    key_files.create_epoch(folder, 3)
    ring.wrap_under(3)


def test_what_is_destroyed_is_dropped_from_memory(folder: Path) -> None:
    ring = keyring.load(folder)
    key_files.destroy(folder, 1)
    ring.forget([1, 2])
    assert ring.epochs == {2}, "the one in use stays"
    with pytest.raises(KeyMissing):
        ring.kek(1)
