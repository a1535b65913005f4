"""What a test can do with a store's server, whatever kind it is."""

from collections.abc import Sequence
from typing import Protocol

from tests.support.stores import Customer
from workers.stores.directory import Store


class Site(Protocol):
    """One real server with people's data on it."""

    store: Store
    can_lie: bool
    """Whether a server of this kind can be made to say that it deleted what it did not."""

    async def plant(self, people: Sequence[Customer]) -> None:
        """Put their data there."""

    async def content(self, people: Sequence[Customer]) -> object:
        """Everything there is of them, byte for byte; equal when nothing has changed."""

    async def is_empty_of(self, person: Customer) -> bool:
        """Whether no trace of the person is left, looked at without the connector."""

    async def break_down(self) -> None:
        """From now on it cannot be reached, or refuses everything."""

    async def come_back(self) -> None:
        """It works again."""

    async def lie(self) -> None:
        """From now on it acknowledges erasures and does nothing."""
