"""Where a request comes from, as far as a shop behind its own proxies can know."""

import ipaddress

from aiohttp import web

_IPV6_NETWORK_BITS = 64
"""One household or machine has a whole /64 to choose its addresses from (RFC 6177)."""


def address_of(request: web.Request, trusted_proxies: int) -> str:
    """The address of the sender: the peer's, or what the outermost of our own proxies saw; `` where it is unknown.

    X-Forwarded-For is written by anyone; only the entries that our own proxies appended are believed.
    """
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
    if trusted_proxies == 0:
        return _valid(request.remote or "")
    return _valid(forwarded[-trusted_proxies].strip()) if len(forwarded) >= trusted_proxies else ""


def flood_key(address: str) -> str:
    """What floods are counted by: the IPv4 address, or the IPv6 network."""
    if not address:
        return "unknown"
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, _IPV6_NETWORK_BITS), strict=False))
    return str(parsed)


def is_foreign(request: web.Request) -> bool:
    """Whether a page of another site made the browser send this (Fetch Metadata); old browsers do not say."""
    return request.headers.get("Sec-Fetch-Site") == "cross-site"


def _valid(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return ""
