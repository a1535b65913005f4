"""A sealed value opens under its key, at its place, unaltered; everything else is unreadable."""

import itertools
import os

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from workers.vault import sealing
from workers.vault.sealing import DataKey, Unreadable

HERE = sealing.place("shipments", "recipient", 7, "o1")
ELSEWHERE = {
    "table": sealing.place("outbox", "recipient", 7, "o1"),
    "column": sealing.place("shipments", "sealed", 7, "o1"),
    "subject": sealing.place("shipments", "recipient", 8, "o1"),
    "record": sealing.place("shipments", "recipient", 7, "o2"),
}
NONCE = 12


@pytest.fixture
def key() -> DataKey:
    return DataKey(os.urandom(32))


@pytest.fixture
def kek() -> AESGCM:
    return AESGCM(os.urandom(32))


@pytest.mark.parametrize("plaintext", [b"", b"Musterweg 12", bytes(100_000)])
def test_what_was_sealed_opens_at_its_place(key: DataKey, plaintext: bytes) -> None:
    assert key.unseal(key.seal(plaintext, HERE), HERE) == plaintext


def test_the_plaintext_is_not_in_it(key: DataKey) -> None:
    assert b"Musterweg" not in key.seal(b"Musterweg 12", HERE)


@pytest.mark.parametrize("moved", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_value_moved_elsewhere_does_not_open(key: DataKey, moved: bytes) -> None:
    with pytest.raises(Unreadable):
        key.unseal(key.seal(b"Musterweg 12", HERE), moved)


def test_another_person_s_key_does_not_open_it(key: DataKey) -> None:
    with pytest.raises(Unreadable):
        DataKey(os.urandom(32)).unseal(key.seal(b"Musterweg 12", HERE), HERE)


@pytest.mark.parametrize("at", [0, NONCE - 1, NONCE, -17, -1], ids=["nonce", "nonce end", "text", "text end", "tag"])
def test_one_flipped_bit_is_noticed(key: DataKey, at: int) -> None:
    sealed = bytearray(key.seal(b"Musterweg 12", HERE))
    sealed[at] ^= 1
    with pytest.raises(Unreadable):
        key.unseal(bytes(sealed), HERE)


@pytest.mark.parametrize("length", [0, 5, NONCE, NONCE + 15, -1])
def test_a_value_cut_short_is_noticed(key: DataKey, length: int) -> None:
    with pytest.raises(Unreadable):
        key.unseal(key.seal(b"Musterweg 12", HERE)[:length], HERE)


def test_a_nonce_never_comes_twice(key: DataKey) -> None:
    drawn = 5 * sealing._NONCES_DRAWN + 3  # several pools, the last one begun
    assert len({key.seal(b"", HERE)[:NONCE] for _ in range(drawn)}) == drawn


def test_the_pool_gives_every_nonce_its_full_length() -> None:
    nonces = itertools.islice(sealing._random_nonces(), 2 * sealing._NONCES_DRAWN)
    assert {len(nonce) for nonce in nonces} == {NONCE}


def test_a_wrapped_key_is_the_key_that_was_handed_out(kek: AESGCM) -> None:
    wrapped, key = sealing.new_wrapped_key(kek, b"owner")
    assert sealing.unwrap_key(kek, wrapped, b"owner").unseal(key.seal(b"text", HERE), HERE) == b"text"


def test_every_new_key_is_another_one(kek: AESGCM) -> None:
    _, one = sealing.new_wrapped_key(kek, b"owner")
    _, other = sealing.new_wrapped_key(kek, b"owner")
    with pytest.raises(Unreadable):
        other.unseal(one.seal(b"text", HERE), HERE)


def test_a_key_wrapped_for_another_owner_does_not_open(kek: AESGCM) -> None:
    wrapped, _ = sealing.new_wrapped_key(kek, b"owner")
    with pytest.raises(Unreadable):
        sealing.unwrap_key(kek, wrapped, b"stranger")


def test_a_key_wrapped_under_another_epoch_does_not_open(kek: AESGCM) -> None:
    wrapped, _ = sealing.new_wrapped_key(kek, b"owner")
    with pytest.raises(Unreadable):
        sealing.unwrap_key(AESGCM(os.urandom(32)), wrapped, b"owner")


@pytest.mark.parametrize("wrapped", [b"", b"short"])
def test_a_wrapped_key_cut_short_is_unreadable(kek: AESGCM, wrapped: bytes) -> None:
    with pytest.raises(Unreadable):
        sealing.unwrap_key(kek, wrapped, b"owner")


def test_unreadable_says_nothing_of_the_value(key: DataKey) -> None:
    with pytest.raises(Unreadable) as raised:
        key.unseal(key.seal(b"Musterweg 12", HERE), ELSEWHERE["record"])
    assert "o1" not in str(raised.value)
    assert raised.value.__cause__ is None
