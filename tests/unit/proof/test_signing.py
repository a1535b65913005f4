"""The signing key: made once, for its owner alone; its public half is what others verify with."""

from pathlib import Path

import pytest

from tests.support.certificates import SIGNER
from workers.errors import UsageError
from workers.proof import signing


def test_it_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    signing.create(tmp_path)
    made = signing.load(tmp_path)
    signing.create(tmp_path)
    assert signing.load(tmp_path).key_id == made.key_id != SIGNER.key_id
    assert (tmp_path / "certificates/ed25519.key").stat().st_mode & 0o077 == 0


def test_without_it_the_command_to_make_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lethe migrate"):
        signing.load(tmp_path)


def test_public_keys_of_earlier_keys_stay_known(tmp_path: Path) -> None:
    signing.create(tmp_path)
    (tmp_path / "certificates/2025.pub").write_text(SIGNER.public_pem)
    assert set(signing.known_keys(tmp_path)) == {signing.load(tmp_path).key_id, SIGNER.key_id}


@pytest.mark.parametrize("content", ["", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_a_file_that_is_no_public_key_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "wrong.pub").write_text(content)
    with pytest.raises(UsageError, match=r"wrong\.pub is not an Ed25519 public key"):
        signing.public_keys([tmp_path / "wrong.pub"])
    with pytest.raises(UsageError, match="cannot be read"):
        signing.public_keys([tmp_path / "none.pub"])
