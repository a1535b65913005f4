"""`/u/<token>`: the end of one subscription, by one click in the mail program (RFC 8058) or by a person on the page.

The link names one contact and one purpose and needs no row: it works as long as the mail is kept, and shows nothing,
not even whether the subscription still exists.
"""

from datetime import datetime

from aiohttp import web

from workers.domain.consent import ConsentChange, Entity, Kind
from workers.engine.database import Connection
from workers.mail.links import Subscription, read_unsubscribe_token
from workers.web import language, links
from workers.web.office import Office


class Unsubscribe:
    """The page, and the POST of its button and of mail providers."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def show(self, request: web.Request) -> web.Response:
        """The page with a button. Changes nothing, and asks the database nothing."""
        named = self._named(request)
        if named is None:
            return links.ended(self._office, request, None, again="unsubscribe")
        return self._office.renderer.page(request, "unsubscribe.html", purpose=self._title(request, named.purpose))

    async def act(self, request: web.Request) -> web.Response:
        """End the subscription: it is ended when this answers 200. No cookie, no redirect (RFC 8058, 3.1).

        A body that cannot be read does not keep anybody subscribed.
        """
        named = self._named(request)
        if named is None:
            return links.ended(self._office, request, None, again="unsubscribe")
        by_page = "page" in await links.drain(request)
        method = "unsubscribe_page" if by_page else "one_click"

        async def withdraw(connection: Connection, now: datetime) -> None:
            change = ConsentChange(
                Kind.WITHDRAWN, named.purpose, Entity.SUBJECT, method, now, contact_id=named.contact_id,
                evidence=self._office.evidence(request, "/u"),
            )  # fmt: skip
            # Refused: the contact was erased since, so there is nothing left to end.
            await self._office.consent.apply(connection, [change], now)

        await self._office.in_transaction(withdraw)
        return self._office.renderer.page(request, "unsubscribed.html", purpose=self._title(request, named.purpose))

    def _named(self, request: web.Request) -> Subscription | None:
        return read_unsubscribe_token(self._office.keyring, request.match_info["token"])

    def _title(self, request: web.Request, purpose: str) -> str:
        declared = self._office.consent.purposes.get(purpose)
        return purpose if declared is None else declared.title_in(language.of_request(request))
