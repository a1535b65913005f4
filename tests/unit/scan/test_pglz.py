"""PostgreSQL's compression, read back. What real PostgreSQL writes is read in the integration tests."""

import pytest

from workers.scan import pglz


def test_literals_and_a_repetition_are_read() -> None:
    packed = b"\x08abc\x03\x03"  # three literals, then six bytes from three back
    assert pglz.decompress(packed, 9) == b"abcabcabc"


def test_a_long_repetition_has_its_length_in_a_third_byte() -> None:
    assert pglz.decompress(b"\x02a\x0f\x01\x05", 24) == b"a" * 24


@pytest.mark.parametrize("packed", [b"\x02a\x0f\x00\x05", b"\x01\x03\x03", b"\x08abc\x03", b""])
def test_what_is_not_of_its_making_is_refused(packed: bytes) -> None:
    assert pglz.decompress(packed, 24) is None


def test_more_or_less_than_was_stated_is_refused() -> None:
    assert pglz.decompress(b"\x00abc", 2) is None
    assert pglz.decompress(b"\x00abc", 4) is None


def test_a_beginning_yields_what_it_can() -> None:
    assert pglz.decompress(b"\x08abc\x03", 9, partial=True) == b"abc"
