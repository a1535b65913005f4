"""`/contact`: a question to the shop. A person answers it; the page and a mail say that it has arrived."""

from datetime import datetime

from aiohttp import web

from workers.domain import cards
from workers.engine.database import Connection
from workers.web import forms, language, pace
from workers.web.forms import Form
from workers.web.office import Office

QUESTION_MAX_CHARACTERS = 5000


class Contact:
    """The form and its answer."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def show(self, request: web.Request) -> web.Response:
        """The empty form."""
        return self._form(request, {})

    async def take(self, request: web.Request) -> web.Response:
        """Pass the question on. The form again, with status 400, where something is missing or is a card number."""
        async with pace.even():
            form = await forms.read(request)
            await self._office.admit(request)
            email, question = forms.email_of(form), forms.text_of(form, "question", QUESTION_MAX_CHARACTERS)
            if not forms.is_machine(form):
                if email is None or not question or cards.find(question):
                    return self._form(request, form, is_wrong=True)
                await self._ask(email, question, language.of_request(request))
            return self._office.renderer.page(request, "contact_received.html")

    async def _ask(self, email: str, question: str, spoken: str) -> None:
        async def ask(connection: Connection, now: datetime) -> str:
            return await self._office.contact.ask(connection, email=email, question=question, language=spoken, now=now)

        await self._office.in_transaction(ask)

    def _form(self, request: web.Request, form: Form, *, is_wrong: bool = False) -> web.Response:
        question = forms.text_of(form, "question", QUESTION_MAX_CHARACTERS)
        has_card = is_wrong and cards.find(question) is not None
        return self._office.renderer.page(
            request,
            "contact.html",
            status=400 if is_wrong else 200,
            email=form.get("email", "")[: forms.EMAIL_MAX_CHARACTERS],
            email_wrong=is_wrong and forms.email_of(form) is None,
            question="" if has_card else question,
            question_wrong=is_wrong and not question,
            has_card=has_card,
            question_max=QUESTION_MAX_CHARACTERS,
        )
