"""`/preferences/<token>`: every choice of one address on one page. The link went to that mailbox alone; it works once
and for a day."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from aiohttp import web

from schemas.consent import EVERY_PURPOSE
from workers.consent.records import ConsentRecord
from workers.consent.tokens import TokenState
from workers.domain.consent import VALID, ConsentChange, Entity, Kind, Status
from workers.engine.database import Connection
from workers.web import forms, language, links, words
from workers.web.forms import Form
from workers.web.office import Office

TOKEN = "preferences"  # noqa: S105  (the name of a kind)
LIFETIME = timedelta(hours=24)
_METHOD = "preferences_page"


class Choice(NamedTuple):
    """One line of the page."""

    name: str
    title: str
    is_valid: bool
    is_asked: bool
    changed_at: datetime | None


class LinkUsed(Exception):
    """Somebody was quicker: nothing of this transaction stays."""


class Preferences:
    """The page, and its two buttons."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def show(self, request: web.Request) -> web.Response:
        """Every choice as it stands. Changes nothing."""
        async with self._office.pool.acquire() as connection, connection.transaction(readonly=True):
            state = await self._look(connection, request)
            if state is None or not state.is_open(self._office.clock()):
                return links.ended(self._office, request, state, again="unsubscribe")
            records = await self._office.consent.statuses(connection, state.contact_id)
        spoken = language.of_request(request)
        return self._office.renderer.page(
            request, "preferences.html", choices=self._choices(records, spoken),
            wording=words.consent(spoken, self._office.settings.shop_name),
        )  # fmt: skip

    async def act(self, request: web.Request) -> web.Response:
        """Save all choices together, and use the token up."""
        form = await forms.read(request)

        async def save(connection: Connection, now: datetime) -> list[ConsentRecord]:
            state = await self._look(connection, request)
            if state is None:
                raise LinkUsed
            before = await self._office.consent.statuses(connection, state.contact_id)
            changes = self._changes(request, form, state.contact_id, before, now)
            await self._office.consent.apply(connection, changes, now)
            # After the contact's lock, which every change takes first; a token that is used up by now undoes it all.
            if await self._office.consent.use_token(connection, TOKEN, request.match_info["token"], now) is None:
                raise LinkUsed
            await self._office.consent.touch(connection, state.contact_id, now)
            return await self._office.consent.statuses(connection, state.contact_id)

        try:
            records = await self._office.in_transaction(save)
        except LinkUsed:
            async with self._office.pool.acquire() as connection:
                state = await self._look(connection, request)
            return links.ended(self._office, request, state, again="unsubscribe")
        choices = self._choices(records, language.of_request(request))
        return self._office.renderer.page(
            request, "preferences_saved.html",
            titles=[choice.title for choice in choices if choice.is_valid],
            asked=[choice.title for choice in choices if choice.is_asked],
        )  # fmt: skip

    async def _look(self, connection: Connection, request: web.Request) -> TokenState | None:
        return await self._office.consent.look_at_token(
            connection, TOKEN, request.match_info["token"], self._office.clock()
        )

    def _choices(self, records: Sequence[ConsentRecord], spoken: str) -> list[Choice]:
        """What is declared, and what was agreed to before and is declared no more."""
        known = {one.purpose: one.record for one in records}
        titles = {name: purpose.title_in(spoken) for name, purpose in self._office.consent.purposes.items()}
        titles |= {name: name for name, one in known.items() if name not in titles and one.status in VALID}
        choices = []
        for name, title in titles.items():
            record = known.get(name)
            status = None if record is None else record.status
            is_asked = status is Status.REQUESTED
            choices.append(Choice(name, title, status in VALID, is_asked, record.changed_at if record else None))
        return choices

    def _changes(
        self, request: web.Request, form: Form, contact_id: int, before: Sequence[ConsentRecord], now: datetime
    ) -> list[ConsentChange]:
        """From what was ticked: a yes for each that was not agreed to, a no for each that was, or had been asked for.

        The link went to the mailbox, so a yes needs no second mail, unless the person once complained.
        """
        evidence = self._office.evidence(request, "/preferences", wording=self._wording(request))
        if form.get("action") == "stop":
            return [
                ConsentChange(
                    Kind.WITHDRAWN, EVERY_PURPOSE, Entity.SUBJECT, _METHOD, now, contact_id=contact_id,
                    evidence=evidence,
                )
            ]  # fmt: skip
        changes = []
        for choice in self._choices(before, language.of_request(request)):
            is_wanted = form.get(f"purpose.{choice.name}") == "yes"
            if is_wanted and not choice.is_valid:
                changes.append(
                    ConsentChange(
                        Kind.GIVEN, choice.name, Entity.SUBJECT, _METHOD, now, contact_id=contact_id,
                        language=language.of_request(request), privacy_notice=self._office.policies.version_at(now),
                        evidence=evidence, double_opt_in=True,
                    )
                )  # fmt: skip
            elif not is_wanted and (choice.is_valid or choice.is_asked):
                changes.append(
                    ConsentChange(
                        Kind.WITHDRAWN, choice.name, Entity.SUBJECT, _METHOD, now, contact_id=contact_id,
                        evidence=evidence,
                    )
                )  # fmt: skip
        return changes

    def _wording(self, request: web.Request) -> str:
        return words.consent(language.of_request(request), self._office.settings.shop_name)
