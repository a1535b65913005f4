"""What every page works with: the desks behind it, transactions, the clock, and who asks too often."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import asyncpg
from aiohttp import web

from workers.clock import Clock
from workers.consent.desk import ConsentDesk
from workers.consent.floods import Floods
from workers.contact import ContactDesk
from workers.engine.database import Connection
from workers.erasure.account_tokens import AccountTokens
from workers.erasure.asking import Asking
from workers.erasure.desk import RequestDesk
from workers.mail.desk import MailDesk
from workers.policies import Policies
from workers.settings import Settings
from workers.stores.human import PersonDesk
from workers.vault.keyring import Keyring
from workers.web import language, source
from workers.web.rendering import Renderer

_T = TypeVar("_T")

FORMS_PER_HOUR = 20
"""How many forms one source may send in an hour, all open forms together (a household or an office is one source)."""
_HOUR_S = 3600
_ATTEMPTS = 3


@dataclass(frozen=True)
class Office:
    """Made once per process."""

    settings: Settings
    pool: asyncpg.Pool
    keyring: Keyring
    consent: ConsentDesk
    mail: MailDesk
    floods: Floods
    renderer: Renderer
    clock: Clock
    contact: ContactDesk
    policies: Policies
    stores: PersonDesk
    requests: RequestDesk
    asking: Asking
    accounts: AccountTokens

    async def in_transaction(self, work: Callable[[Connection, datetime], Awaitable[_T]]) -> _T:
        """What `work` returns, once it is committed. It is done again where two transactions waited for each other.

        Raises one of database.RETRIED_ERRORS; whether it was committed is not known then.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                async with self.pool.acquire() as connection, connection.transaction():
                    return await work(connection, self.clock())
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError):
                if attempt == _ATTEMPTS:
                    raise
        raise AssertionError("unreachable")

    def source_of(self, request: web.Request) -> str:
        """The sender's address; empty where it is not known."""
        return source.address_of(request, self.settings.trusted_proxies)

    async def admit(self, request: web.Request, *, proves_itself: bool = False) -> None:
        """Let an open form in. Raises HTTPForbidden for one that another site sent through a visitor's browser, unless
        it holds a proof that no other site can make; HTTPTooManyRequests where its source has sent too many. Says
        nothing about any address."""
        if source.is_foreign(request) and not proves_itself:
            raise web.HTTPForbidden
        key = source.flood_key(self.source_of(request))

        async def count(connection: Connection, now: datetime) -> bool:
            return await self.floods.allow(connection, "web_form", key, FORMS_PER_HOUR, _HOUR_S, now)

        if not await self.in_transaction(count):
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(_HOUR_S)})

    def evidence(self, request: web.Request, page: str, **more: Any) -> Mapping[str, Any]:
        """What is kept, sealed, as a proof of what the person did: the page, its language, the source address."""
        return {
            "page": page,
            "language": language.of_request(request),
            "source_address": self.source_of(request),
            **more,
        }
