"""Identifiers sealed to a store."""

import json
from pathlib import Path

import pytest

from tests.support import stores
from workers.errors import UsageError
from workers.stores import directory, jwe

IDENTIFIERS = {"email": ("ada@example.org", "é@example.org"), "customer_ref": ("c-1",)}


def test_only_the_store_opens_it() -> None:
    key = jwe.generate()
    sealed = jwe.Sealer(jwe.public(jwe.public_text(key))).seal(IDENTIFIERS)
    assert jwe.Opener(key).unseal(sealed) == IDENTIFIERS
    with pytest.raises(jwe.Unopened) as refused:
        jwe.Opener(jwe.generate()).unseal(sealed)
    assert "example.org" not in f"{refused.value!r}{refused.value.__cause__!r}"


def test_every_seal_is_another() -> None:
    key = jwe.generate()
    sealer = jwe.Sealer(key)
    assert sealer.seal(IDENTIFIERS) != sealer.seal(IDENTIFIERS)


def test_a_thousand_under_one_agreement_never_share_their_vector() -> None:
    sealer = jwe.Sealer(jwe.generate())
    assert len({sealer.seal(IDENTIFIERS).split(".")[2] for _ in range(1000)}) == 1000


def test_another_sealer_agrees_anew() -> None:
    key = jwe.generate()
    first, second = (jwe.Sealer(key).seal(IDENTIFIERS) for _ in range(2))
    assert first.split(".")[0] != second.split(".")[0]
    opener = jwe.Opener(key)
    assert [opener.unseal(one) for one in (first, second, first)] == [IDENTIFIERS] * 3


def test_what_was_changed_on_the_way_does_not_open() -> None:
    key = jwe.generate()
    opener = jwe.Opener(key)
    parts = jwe.Sealer(key).seal(IDENTIFIERS).split(".")
    assert opener.unseal(".".join(parts)) == IDENTIFIERS
    for number in (0, 2, 3, 4):
        changed = parts[number][:-4] + ("AAAA" if parts[number][-4:] != "AAAA" else "BBBB")
        with pytest.raises(jwe.Unopened):
            opener.unseal(".".join([*parts[:number], changed, *parts[number + 1 :]]))
    assert opener.unseal(".".join(parts)) == IDENTIFIERS, "a broken one before does no harm"


def test_a_library_of_the_standards_opens_it_and_is_understood() -> None:
    from joserfc import jwe as library

    key = jwe.generate()
    opened = library.decrypt_compact(jwe.Sealer(key).seal(IDENTIFIERS), key).plaintext
    assert json.loads(opened or b"") == {name: list(values) for name, values in IDENTIFIERS.items()}
    sealed = library.encrypt_compact({"alg": "ECDH-ES", "enc": "A256GCM"}, opened or b"", key)
    assert jwe.Opener(key).unseal(sealed) == IDENTIFIERS


def test_the_form_is_that_of_the_standards() -> None:
    head = jwe.Sealer(jwe.generate()).seal(IDENTIFIERS).split(".")[0]
    import base64

    header = json.loads(base64.urlsafe_b64decode(head + "=="))
    assert (header["alg"], header["enc"], header["epk"]["crv"]) == ("ECDH-ES", "A256GCM", "X25519")


@pytest.mark.parametrize("sealed", ["", "a.b.c.d.e", "not a jwe", "e30.e30.e30.e30.e30"])
def test_what_is_no_jwe(sealed: str) -> None:
    with pytest.raises(jwe.Unopened):
        jwe.Opener(jwe.generate()).unseal(sealed)


def test_what_holds_no_lists_of_texts() -> None:
    from joserfc import jwe as library

    key = jwe.generate()
    for payload in (b"[]", b'{"email": 1}', b"\xff", b"null"):
        sealed = library.encrypt_compact({"alg": "ECDH-ES", "enc": "A256GCM"}, payload, key)
        with pytest.raises(jwe.Unopened):
            jwe.Opener(key).unseal(sealed)


@pytest.mark.parametrize("changed", [{"alg": "dir"}, {"enc": "A128GCM"}, {"zip": "DEF"}, {"crit": ["exp"]}])
def test_a_header_that_says_anything_else_is_refused_though_the_key_fits(changed: dict[str, object]) -> None:
    key = jwe.generate()
    sealer = jwe.Sealer(key)
    header = json.loads(jwe._decoded(sealer._head))
    sealer._head = jwe._encoded(json.dumps({**header, **changed}).encode())
    with pytest.raises(jwe.Unopened):
        jwe.Opener(key).unseal(sealer.seal(IDENTIFIERS))


def test_another_algorithm_is_refused() -> None:
    """The sender does not choose: no password-based or direct key gets in by the header."""
    from joserfc import jwe as library
    from joserfc.jwk import OKPKey

    key = OKPKey.generate_key("X25519")
    sealed = library.encrypt_compact({"alg": "ECDH-ES+A128KW", "enc": "A128CBC-HS256"}, b"{}", key)
    with pytest.raises(jwe.Unopened):
        jwe.Opener(key).unseal(sealed)


def test_a_private_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    assert jwe.private(tmp_path, "webshop") is None
    assert jwe.create_private(tmp_path, "webshop")
    key = jwe.private(tmp_path, "webshop")
    assert key is not None
    assert not jwe.create_private(tmp_path, "webshop")
    again = jwe.private(tmp_path, "webshop")
    assert again is not None
    assert jwe.public_text(again) == jwe.public_text(key)
    assert jwe.private_path(tmp_path, "webshop").stat().st_mode & 0o077 == 0


def test_a_store_gets_what_it_needs_and_nothing_else() -> None:
    store = stores.store("folder", {}, identifiers=["customer_ref"])
    assert store.key is not None
    sealed = directory.Sealing(store).seal(IDENTIFIERS)
    assert jwe.Opener(store.key).unseal(sealed) == {"customer_ref": ("c-1",)}


def test_a_store_without_a_key_gets_nothing() -> None:
    store = stores.store("folder", {}).model_copy(update={"key": None})
    with pytest.raises(UsageError, match="lethe stores keys"):
        directory.Sealing(store).seal(IDENTIFIERS)
