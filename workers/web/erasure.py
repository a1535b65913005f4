"""`/erasure`: a person asks that what is held about them be erased; `/erasure/<token>`: they confirm that it is them.

Every address gets the same answer, known or not, on the same beat. The link goes to the address on file alone, and only
its button begins the erasure (scanners follow links too). Who comes from the shop's account page brings its token along
and needs no link.
"""

from datetime import datetime
from uuid import UUID

from aiohttp import web

from workers.engine.database import Connection
from workers.erasure.account_tokens import Account
from workers.erasure.tokens import TokenLook
from workers.web import forms, language, links, pace
from workers.web.forms import Form
from workers.web.office import Office

ACCOUNT_FIELD = "account_token"


class Erasure:
    """The form, the page behind the link, and what their buttons do."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def show(self, request: web.Request) -> web.Response:
        """The empty form."""
        return self._form(request, {})

    async def take(self, request: web.Request) -> web.Response:
        """Send the link where there is somebody to send it to; the answer does not say."""
        async with pace.even():
            form = await forms.read(request)
            if form.get(ACCOUNT_FIELD):
                return await self._take_account(request, form[ACCOUNT_FIELD])
            await self._office.admit(request)
            email = forms.email_of(form)
            if not forms.is_machine(form):
                if email is None:
                    return self._form(request, form, is_wrong=True)
                await self._ask(email, language.of_request(request))
            hours = str(self._office.settings.identity_hours)
            return self._office.renderer.page(request, "erasure_asked.html", hours=hours)

    async def show_link(self, request: web.Request) -> web.Response:
        """What the button would begin. Changes nothing."""
        look = await self._look(request)
        if look is None or not look.is_open:
            return self._ended(request, look)
        return self._office.renderer.page(request, "erasure_confirm.html")

    async def act(self, request: web.Request) -> web.Response:
        """Begin, and use the token up."""
        await links.drain(request)

        async def verify(connection: Connection, now: datetime) -> UUID | None:
            return await self._office.requests.verify_by_link(connection, request.match_info["token"], now)

        if await self._office.in_transaction(verify) is None:
            return self._ended(request, await self._look(request))
        return self._office.renderer.page(request, "erasure_begun.html")

    async def _ask(self, email: str, spoken: str) -> None:
        async def ask(connection: Connection, now: datetime) -> None:
            await self._office.asking.by_address(connection, email, "web", spoken, now)

        await self._office.in_transaction(ask)

    async def _take_account(self, request: web.Request, token: str) -> web.Response:
        account = self._office.accounts.read(token, self._office.clock())
        if account is None:
            return self._office.renderer.page(request, "erasure_refused.html", status=403)
        # The account page may be another site: what it signed is the proof that no third one sent this.
        await self._office.admit(request, proves_itself=True)
        await self._open(account, language.of_request(request))
        return self._office.renderer.page(request, "erasure_begun.html")

    async def _open(self, account: Account, spoken: str) -> None:
        async def open_(connection: Connection, now: datetime) -> None:
            await self._office.asking.by_account(connection, account, spoken, now)

        await self._office.in_transaction(open_)

    async def _look(self, request: web.Request) -> TokenLook | None:
        async with self._office.pool.acquire() as connection, connection.transaction(readonly=True):
            return await self._office.requests.tokens.look_at(
                connection, request.match_info["token"], self._office.clock()
            )

    def _ended(self, request: web.Request, look: TokenLook | None) -> web.Response:
        word: links.Ended = "unknown" if look is None else "used" if look.is_used else "expired"
        return links.ended_as(self._office, request, word, again="erasure")

    def _form(self, request: web.Request, form: Form, *, is_wrong: bool = False) -> web.Response:
        return self._office.renderer.page(
            request,
            "erasure.html",
            status=400 if is_wrong else 200,
            email=form.get("email", "")[: forms.EMAIL_MAX_CHARACTERS],
            email_wrong=is_wrong,
        )
