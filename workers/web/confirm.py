"""`/confirm/<token>`: the link in the mail. Whoever follows it sees a page; only its button confirms (scanners follow
links too). The token works once and for a time."""

from collections.abc import Sequence
from datetime import datetime

from aiohttp import web

from workers.consent.letters import CONFIRM_TOKEN
from workers.consent.session import ConsentOutcome
from workers.consent.tokens import TokenState
from workers.engine.database import Connection
from workers.mail import templates
from workers.web import language, links
from workers.web.office import Office


class Confirm:
    """The page, and what its button does."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def show(self, request: web.Request) -> web.Response:
        """What would be confirmed. Changes nothing."""
        state = await self._look(request)
        if state is None or not state.purposes or not state.is_open(self._office.clock()):
            return links.ended(self._office, request, state, again="subscribe")
        return self._office.renderer.page(request, "confirm.html", purpose=self._titles(request, state.purposes))

    async def act(self, request: web.Request) -> web.Response:
        """Confirm, and use the token up."""
        await links.drain(request)
        state = await self._look(request)
        evidence = self._office.evidence(request, "/confirm")

        async def confirm(connection: Connection, now: datetime) -> dict[str, ConsentOutcome] | None:
            return await self._office.consent.confirm(connection, request.match_info["token"], evidence, now)

        outcomes = None if state is None else await self._office.in_transaction(confirm)
        confirmed = [purpose for purpose, outcome in (outcomes or {}).items() if outcome.refusal is None]
        if not confirmed:
            return links.ended(self._office, request, await self._look(request), again="subscribe")
        return self._office.renderer.page(request, "confirmed.html", purpose=self._titles(request, confirmed))

    async def _look(self, request: web.Request) -> TokenState | None:
        async with self._office.pool.acquire() as connection:
            return await self._office.consent.look_at_token(
                connection, CONFIRM_TOKEN, request.match_info["token"], self._office.clock()
            )

    def _titles(self, request: web.Request, purposes: Sequence[str]) -> str:
        declared, spoken = self._office.consent.purposes, language.of_request(request)
        titles = [declared[one].title_in(spoken) if one in declared else one for one in purposes]
        return templates.listed(titles, spoken)
