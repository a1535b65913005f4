"""Keys and signatures: made once, readable by their owner, and what is signed is what was meant."""

from pathlib import Path

import dkim as verifier
import pytest

from workers.errors import UsageError
from workers.mail import dkim

HEADERS = [("From", "a@shop.example"), ("List-Unsubscribe", "<https://shop.example/u/x>,\r\n\t<mailto:u@shop.example>")]
BODY = b"Hello\r\n\r\nworld  \r\n\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made: Path = tmp_path_factory.mktemp("keys") / "dkim"
    dkim.create(made)
    return made


def signed(folder: Path, headers: list[tuple[str, str]], body: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    signer = dkim.load(folder, "shop.example", "lethe")
    plain = "".join(f"{name}: {value}\r\n" for name, value in headers).encode()
    names = {f"{key.selector}._domainkey.shop.example.".encode(): key.record().encode() for key in signer.keys}
    return signer.sign(headers, body) + plain + b"\r\n" + body, names


def holds(content: bytes, names: dict[bytes, bytes]) -> list[bool]:
    return [_holds(content, number, names) for number in (0, 1)]


def _holds(content: bytes, number: int, names: dict[bytes, bytes]) -> bool:
    try:
        return bool(verifier.DKIM(content).verify(number, dnsfunc=lambda name, timeout=5: names[name]))
    except verifier.ValidationError:
        return False


def test_both_signatures_hold(folder: Path) -> None:
    content, names = signed(folder, HEADERS, BODY)
    assert holds(content, names) == [True, True]
    assert len(names) == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [(b"Hello", b"Hallo"), (b"/u/x", b"/u/y"), (b"From: a", b"From: b"), (b"mailto:u@", b"mailto:v@")],
)
def test_no_signature_holds_once_something_was_changed(folder: Path, old: bytes, new: bytes) -> None:
    content, names = signed(folder, HEADERS, BODY)
    assert old in content
    assert holds(content.replace(old, new), names) == [False, False]


@pytest.mark.parametrize("body", [b"", b"\r\n", b"a\r\n", b"a", b" \t \r\n\r\n", b".\r\n..\r\n", "é\r\n".encode()])
def test_every_body_is_counted_as_a_receiver_does(folder: Path, body: bytes) -> None:
    content, names = signed(folder, HEADERS, body)
    assert holds(content, names) == [True, True]


def test_keys_are_made_once_and_for_their_owner_only(folder: Path) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    dkim.create(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_missing_directory_signs_nothing(tmp_path: Path) -> None:
    assert dkim.load(tmp_path / "none", "shop.example", "lethe").sign(HEADERS, BODY) == b""


def test_a_broken_key_is_named_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "rsa.pem").write_text("nonsense")
    with pytest.raises(UsageError, match=r"rsa\.pem.*lethe mail keys"):
        dkim.load(tmp_path, "shop.example", "lethe")
