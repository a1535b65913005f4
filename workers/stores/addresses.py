"""Where a connector may connect to: hosts that the store's file lists, at addresses that are allowed (SSRF, CWE-918).

A name is resolved once, its addresses are checked, and the connection goes to one of those: a name that answers
differently the second time gains nothing.
"""

import ipaddress
import socket
from collections.abc import Sequence
from typing import Annotated

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from pydantic import AfterValidator

from workers.stores.connector import Misconfigured

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _network(text: str) -> str:
    ipaddress.ip_network(text)
    return text


Network = Annotated[str, AfterValidator(_network)]


class Allowed:
    """The addresses that may be connected to: public ones, and those of the networks that are listed."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def check(self, host: str, addresses: Sequence[str]) -> None:
        """Raises Misconfigured unless all of them are allowed."""
        for text in addresses:
            address: _Address = ipaddress.ip_address(text.partition("%")[0])
            mapped = getattr(address, "ipv4_mapped", None)
            address = mapped or address
            if not (address.is_global and not address.is_multicast) and not self._is_listed(address):
                raise Misconfigured(
                    f"{host} is at an address that is not public: list its network under options.networks if it may be"
                )

    def _is_listed(self, address: _Address) -> bool:
        return any(address.version == network.version and address in network for network in self._networks)


class GuardedResolver(AbstractResolver):
    """Resolves the allowed hosts only, to allowed addresses only."""

    def __init__(self, hosts: Sequence[str], allowed: Allowed) -> None:
        self._hosts = frozenset(host.lower() for host in hosts)
        self._allowed = allowed
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:  # fmt: skip
        """The addresses of `host`. Raises Misconfigured, or OSError where there is none."""
        if host.lower() not in self._hosts:
            raise Misconfigured(f"{host} is not among options.hosts")
        found = await self._resolver.resolve(host, port, family)
        self._allowed.check(host, [one["host"] for one in found])
        return found

    async def close(self) -> None:
        """Nothing is held open."""
        await self._resolver.close()
