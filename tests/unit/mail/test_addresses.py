"""What may stand in a header as an address: one, plain, whoever let it in."""

import pytest

from workers.mail import mime


@pytest.mark.parametrize(
    "address", ["ada@example.org", "a.b+c_d=e@sub.example", "jérôme@xn--bcher-kva.example", "o'x@e.org"]
)
def test_a_plain_address_may(address: str) -> None:
    mime.check_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "", "@", "a@", "@b", "a", "a@b, c@d", "a@b;c@d", "a@b\r\nBcc: c@d", "a@b\nX: y", "a@b c", "<a@b>", "a@b>",
        "A <a@b>", "a\x00@b", "a@b\u2028", "a@@b\t", '"x y"@b', "a@b(c)", "a\\@b", "a@b\x85",
    ],
)  # fmt: skip
def test_anything_else_may_not(address: str) -> None:
    with pytest.raises(ValueError, match="not one plain address") as refusal:
        mime.check_address(address)
    assert not address or address not in str(refusal.value) or len(address) < 3
