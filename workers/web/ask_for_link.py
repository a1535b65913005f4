"""`/unsubscribe`: for people without a mail of ours at hand. Sends a link to the address that is entered.

Every address gets the same answer, known or not, on the same beat; what is found out arrives in the mailbox alone.
"""

from datetime import datetime

from aiohttp import web

from workers.engine.database import Connection
from workers.web import forms, pace, preferences
from workers.web.forms import Form
from workers.web.office import Office

_HOURS = str(int(preferences.LIFETIME.total_seconds() // 3600))
_PER_DAY = 3
_DAY_S = 86_400


class AskForLink:
    """The form for people without a mail at hand."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def show(self, request: web.Request) -> web.Response:
        """The empty form."""
        return self._form(request, {})

    async def take(self, request: web.Request) -> web.Response:
        """Send the link where there is somebody to send it to; the answer does not say."""
        async with pace.even():
            form = await forms.read(request)
            await self._office.admit(request)
            email = forms.email_of(form)
            if not forms.is_machine(form):
                if email is None:
                    return self._form(request, form, is_wrong=True)
                await self._send(email)
            return self._office.renderer.page(request, "link_sent.html", hours=_HOURS)

    async def _send(self, email: str) -> None:
        office = self._office

        async def send(connection: Connection, now: datetime) -> None:
            allowed = await office.floods.allow(connection, "preferences_link", email, _PER_DAY, _DAY_S, now)
            contact = await office.consent.contact_by_email(connection, email)
            if contact is None or not allowed:
                return
            token = await office.consent.issue_token(
                connection, preferences.TOKEN, contact.contact_id, None, now, preferences.LIFETIME
            )
            values = {"url": f"{office.settings.public_url}/preferences/{token}", "hours": _HOURS}
            await office.mail.post(
                connection, contact.subject, to=contact.email, template="preferences_link",
                language=contact.language, values=values, now=now, contact_id=contact.contact_id,
            )  # fmt: skip

        await office.in_transaction(send)

    def _form(self, request: web.Request, form: Form, *, is_wrong: bool = False) -> web.Response:
        return self._office.renderer.page(
            request,
            "unsubscribe_by_address.html",
            status=400 if is_wrong else 200,
            email=form.get("email", "")[: forms.EMAIL_MAX_CHARACTERS],
            email_wrong=is_wrong,
        )
