"""Where a request comes from: only what our own proxies wrote is believed."""

import pytest
from aiohttp.test_utils import make_mocked_request

from workers.web import source


@pytest.mark.parametrize(
    ("forwarded", "trusted", "found"),
    [
        ("192.0.2.1", 1, "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1", 1, "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1, 10.0.0.1", 2, "192.0.2.1"),
        ("192.0.2.1", 2, ""),
        ("", 1, ""),
        ("not an address", 1, ""),
        ("2001:db8::1%eth0", 1, "2001:db8::1"),
    ],
)
def test_the_source_is_what_the_outermost_trusted_proxy_saw(forwarded: str, trusted: int, found: str) -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded})
    assert source.address_of(request, trusted) == found


def test_without_a_proxy_the_header_is_not_read() -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": "192.0.2.1"})
    assert source.address_of(request, 0) != "192.0.2.1"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", "unknown"),
    ],
)
def test_floods_are_counted_by_address_or_network(address: str, key: str) -> None:
    assert source.flood_key(address) == key
