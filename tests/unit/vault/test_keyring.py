"""The keyring directory: made once, never overwritten, readable by its owner alone, refused in one clear line."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.lethe import ROOT
from workers.errors import KeyMissing, UsageError
from workers.vault import keyring
from workers.vault.keyring import LOOKUP_PURPOSES, Keyring

CREATE = "import sys, pathlib; from workers.vault import keyring; keyring.create(pathlib.Path(sys.argv[1]))"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "keys" / "ring"
    keyring.create(made)
    return made


def files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


def refusal(folder: Path) -> str:
    with pytest.raises(UsageError) as raised:
        keyring.load(folder)
    return str(raised.value)


def test_a_new_keyring_holds_one_epoch_and_a_key_per_purpose(folder: Path) -> None:
    assert set(files(folder)) == {"epochs/1.key", *(f"lookup/{purpose}.key" for purpose in LOOKUP_PURPOSES)}
    assert all(len(bytes.fromhex(text)) == 32 for text in files(folder).values())
    assert len(set(files(folder).values())) == 1 + len(LOOKUP_PURPOSES), "every key is another one"


def test_only_the_owner_may_read_it(folder: Path) -> None:
    modes = {path: path.stat().st_mode & 0o777 for path in [folder, *folder.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}


def test_creating_again_changes_nothing(folder: Path) -> None:
    before = files(folder)
    keyring.create(folder)
    assert files(folder) == before


def test_creating_again_adds_only_what_is_missing(folder: Path) -> None:
    before = files(folder)
    (folder / "lookup/event.key").unlink()
    keyring.create(folder)
    after = files(folder)
    assert after.keys() == before.keys()
    assert {name for name in before if before[name] != after[name]} == {"lookup/event.key"}


def test_a_keyring_without_its_first_epoch_gets_no_new_one(folder: Path) -> None:
    (folder / "epochs/1.key").rename(folder / "epochs/2.key")
    keyring.create(folder)
    assert not (folder / "epochs/1.key").exists()


def test_two_processes_that_create_at_once_agree(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CREATE, str(tmp_path / "ring")]
    started = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [process.wait(30) for process in started] == [0] * 4
    assert set(files(tmp_path / "ring")) == {"epochs/1.key", *(f"lookup/{p}.key" for p in LOOKUP_PURPOSES)}
    keyring.load(tmp_path / "ring")


def test_what_a_crash_left_behind_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("os.link", crash)
        patched.setattr(Path, "unlink", lambda self: None)
        with pytest.raises(KeyboardInterrupt):
            keyring.create(tmp_path / "ring")
    keyring.create(tmp_path / "ring")
    keyring.load(tmp_path / "ring")


def test_what_was_loaded_opens_what_the_created_one_sealed(folder: Path) -> None:
    one, other = keyring.load(folder), keyring.load(folder)
    assert one.current_epoch == 1
    sealed = one.kek(1).encrypt(bytes(12), b"key", None)
    assert other.kek(1).decrypt(bytes(12), sealed, None) == b"key"


def test_the_highest_epoch_wraps_new_keys(folder: Path) -> None:
    for number in ("2", "10"):
        (folder / f"epochs/{number}.key").write_text("ab" * 32)
    (folder / "epochs/notes.txt").write_text("not a key")
    assert keyring.load(folder).current_epoch == 10


def test_an_epoch_that_is_not_there_is_missing(folder: Path) -> None:
    (folder / "epochs/1.key").rename(folder / "epochs/5.key")
    with pytest.raises(KeyMissing, match="key epoch 3 is not in the keyring"):
        keyring.load(folder).kek(3)


def test_a_missing_directory_says_how_to_make_one(tmp_path: Path) -> None:
    said = refusal(tmp_path / "nowhere")
    assert "lethe migrate" in said
    assert "LETHE_KEYRING_DIR" in said
    assert "\n" not in said


@pytest.mark.parametrize("purpose", LOOKUP_PURPOSES)
def test_a_missing_look_up_key_is_named(folder: Path, purpose: str) -> None:
    (folder / f"lookup/{purpose}.key").unlink()
    assert f"{purpose}.key" in refusal(folder)


def test_a_keyring_without_epochs_is_refused(folder: Path) -> None:
    (folder / "epochs/1.key").unlink()
    assert "no key epoch" in refusal(folder)


@pytest.mark.parametrize("name", ["epochs/1.key", "lookup/event.key"])
@pytest.mark.parametrize(
    "content",
    [b"", b"c0ffee" * 5, b"c0ffee" * 20, b"secret-zz" * 8, "séc\u00adret".encode() * 9, b"\xff\x00" * 32],
    ids=["empty", "short", "long", "no hex", "no ascii", "binary"],
)
def test_a_wrong_key_file_is_named_and_not_quoted(folder: Path, name: str, content: bytes) -> None:
    (folder / name).write_bytes(content)
    said = refusal(folder)
    assert said == f"{Path(name).name} in the keyring is not a key of 32 bytes in hex"


def test_a_line_break_after_the_key_is_allowed(folder: Path) -> None:
    path = folder / "epochs/1.key"
    path.write_text(path.read_text() + "\n")
    assert keyring.load(folder).current_epoch == 1


def test_look_up_hashes_differ_by_purpose_and_by_keyring() -> None:
    keys = {purpose: bytes([number]) * 32 for number, purpose in enumerate(LOOKUP_PURPOSES)}
    ring = Keyring({1: bytes(32)}, keys)
    other = Keyring({1: bytes(32)}, dict.fromkeys(LOOKUP_PURPOSES, b"x" * 32))
    hashes = [one.lookup_hash(purpose, b"c1") for one in (ring, other) for purpose in LOOKUP_PURPOSES]
    assert len(set(hashes)) == len(LOOKUP_PURPOSES) + 1
    assert {len(one) for one in hashes} == {16}
    assert ring.lookup_hash("event", b"c1") == ring.lookup_hash("event", b"c1")
    assert ring.lookup_hash("event", b"c1") != ring.lookup_hash("event", b"c2")
