"""`/subscribe`: the box at sign-up. Asks for a mail with a link; nothing else follows before that is confirmed.

Every address gets the same answer, known or not, and on the same beat.
"""

from datetime import datetime

from aiohttp import web

from workers.domain.consent import ConsentChange, Entity, Kind
from workers.engine.database import Connection
from workers.web import forms, language, pace, words
from workers.web.forms import Form
from workers.web.office import Office


class Subscribe:
    """The form and its answer."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def show(self, request: web.Request) -> web.Response:
        """The empty form."""
        return self._form(request, {})

    async def take(self, request: web.Request) -> web.Response:
        """Record what was asked for. The form again, with status 400, where something is missing."""
        async with pace.even():
            form = await forms.read(request)
            await self._office.admit(request)
            email, chosen = forms.email_of(form), self._chosen(form)
            if not forms.is_machine(form):
                if email is None or not chosen:
                    return self._form(request, form, is_wrong=True)
                await self._ask(request, email, chosen)
            return self._office.renderer.page(request, "subscribed.html")

    async def _ask(self, request: web.Request, email: str, chosen: list[str]) -> None:
        spoken = language.of_request(request)
        consent, shop = self._office.consent, self._office.settings.shop_name

        async def give(connection: Connection, now: datetime) -> None:
            changes = [
                ConsentChange(
                    Kind.GIVEN, purpose, Entity.SUBJECT, "web_form", now, email=email, language=spoken,
                    privacy_notice=self._office.policies.version_at(now),
                    evidence=self._office.evidence(
                        request, "/subscribe", wording=words.consent(spoken, shop),
                        title=consent.purposes[purpose].title_in(spoken),
                    ),
                )
                for purpose in chosen
            ]  # fmt: skip
            await consent.apply(connection, changes, now)

        await self._office.in_transaction(give)

    def _chosen(self, form: Form) -> list[str]:
        return [name for name in self._office.consent.purposes if form.get(f"purpose.{name}") == "yes"]

    def _form(self, request: web.Request, form: Form, *, is_wrong: bool = False) -> web.Response:
        spoken, chosen = language.of_request(request), self._chosen(form)
        return self._office.renderer.page(
            request,
            "subscribe.html",
            status=400 if is_wrong else 200,
            email=form.get("email", "")[: forms.EMAIL_MAX_CHARACTERS],
            email_wrong=is_wrong and forms.email_of(form) is None,
            chosen=chosen,
            choice_wrong=is_wrong and not chosen,
            purposes=[(name, purpose.title_in(spoken)) for name, purpose in self._office.consent.purposes.items()],
            wording=words.consent(spoken, self._office.settings.shop_name),
        )
