"""`/stores/<token>`: what a person at a store is to do, and the form with which they say what they did."""

from datetime import date, datetime

from aiohttp import web
from pydantic import ValidationError

from schemas.store import StoreKept, StoreResult
from workers.engine.database import Connection
from workers.stores.human import Asked
from workers.web import forms
from workers.web.forms import Form
from workers.web.office import Office

OUTCOMES = {
    "erase": ("erased", "nothing_found", "kept", "failed"),
    "verify": ("absent", "present", "kept", "failed"),
    "find": ("absent", "present", "failed"),
}
_TEXT_MAX_CHARACTERS = 200


class StoreTaskPage:
    """The page, and what its button does."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def show(self, request: web.Request) -> web.Response:
        """Whom it is about. Changes nothing."""

        async def look(connection: Connection, now: datetime) -> Asked | None:
            return await self._office.stores.look(connection, request.match_info["token"], now)

        asked = await self._office.in_transaction(look)
        return self._ended(request) if asked is None else self._form(request, asked, {})

    async def act(self, request: web.Request) -> web.Response:
        """Take the answer. The form again, with status 400, where something is missing."""
        form = await forms.read(request)

        async def answer(connection: Connection, now: datetime) -> tuple[Asked | None, bool]:
            asked = await self._office.stores.look(connection, request.match_info["token"], now)
            results = None if asked is None else self._results(asked, form, now)
            if asked is None or results is None:
                return asked, False
            await self._office.stores.answer(connection, asked, results, now)
            return asked, True

        asked, is_done = await self._office.in_transaction(answer)
        if asked is None:
            return self._ended(request)
        if not is_done:
            return self._form(request, asked, form, is_wrong=True)
        return self._office.renderer.page(request, "store_task_answered.html", store=asked.store.title)

    def _results(self, asked: Asked, form: Form, now: datetime) -> list[StoreResult] | None:
        """One per person; None where the form does not say it all."""
        action, results = asked.job.task.action, list[StoreResult]()
        backups_until = self._office.stores.backups_until(asked, now)
        for number, person in enumerate(asked.people):
            outcome = form.get(f"outcome.{number}", "")
            if outcome not in OUTCOMES[action]:
                return None
            fields: dict[str, object] = {"subject_ref": person.subject_ref, "outcome": outcome}
            if outcome == "erased":
                fields["backups_expire_at"] = backups_until
            if outcome == "failed":
                fields["reason"] = "the person who was asked could not do it"
            try:
                if outcome == "kept":
                    fields["kept"] = (_kept(form),)
                results.append(StoreResult.model_validate(fields))
            except (ValidationError, ValueError):
                return None
        return results

    def _form(self, request: web.Request, asked: Asked, form: Form, *, is_wrong: bool = False) -> web.Response:
        people = [
            (
                number,
                [value for values in person.identifiers.values() for value in values],
                form.get(f"outcome.{number}"),
            )
            for number, person in enumerate(asked.people)
        ]
        return self._office.renderer.page(
            request, "store_task.html", status=400 if is_wrong else 200, store=asked.store.title,
            action=asked.job.task.action, outcomes=OUTCOMES[asked.job.task.action], people=people, is_wrong=is_wrong,
            ground=forms.text_of(form, "ground", _TEXT_MAX_CHARACTERS), until=form.get("until", "")[:10],
            respond_by=asked.job.task.respond_by,
        )  # fmt: skip

    def _ended(self, request: web.Request) -> web.Response:
        return self._office.renderer.page(request, "store_task_ended.html", status=404)


def _kept(form: Form) -> StoreKept:
    """The ground that the form names, once for all of its people. Raises ValueError where it names none."""
    until = form.get("until", "")
    return StoreKept(
        what="records", ground=forms.text_of(form, "ground", _TEXT_MAX_CHARACTERS),
        until=date.fromisoformat(until) if until else None,
    )  # fmt: skip
