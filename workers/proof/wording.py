"""A certificate in plain words: sections of lines, from which the page and the PDF are made."""

from collections.abc import Callable
from datetime import date, datetime
from typing import NamedTuple

from babel.dates import format_date, format_datetime

from workers.mail.templates import catalogue, supported
from workers.proof.certificate import Certificate
from workers.proof.facts import CarrierProof, StoreProof, TopicProof

PACKAGE = "workers.proof"
_LOCALES = {"en": "en_GB", "fr": "fr_FR"}


class Section(NamedTuple):
    """A heading and its lines: what it is about, and the sentences about it."""

    heading: str
    lines: tuple[tuple[str, tuple[str, ...]], ...]


class Wording(NamedTuple):
    """All that a reader sees."""

    language: str
    title: str
    verdict: str
    is_complete: bool
    sections: tuple[Section, ...]
    evidence: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def words(certificate: Certificate, language: str) -> Wording:
    """The certificate in the language (English where it is not spoken)."""
    return _Writer(supported(language)).write(certificate)


class _Writer:
    def __init__(self, language: str) -> None:
        self._language = language
        self._say: Callable[[str], str] = catalogue(language, PACKAGE).gettext

    def write(self, one: Certificate) -> Wording:
        say = self._say
        is_complete = one.outcome == "completed"
        sections = [
            Section(say("The request"), self._course(one)),
            Section(say("Systems of %(controller)s") % {"controller": one.controller}, self._stores(one.stores)),
            Section(say("Lethe, which handles requests"), self._stores(one.own_stores)),
            Section(say("Carriers that had received an address"), tuple(map(self._carrier, one.carriers))),
            Section(say("Event topics that the data came by"), tuple(map(self._topic, one.topics))),
        ]
        return Wording(
            self._language,
            say("Certificate of erasure %(number)s") % {"number": one.sequence},
            say("Completed: everything stated below was confirmed.")
            if is_complete
            else say("Completed in part: what is not confirmed stands below, with the reason."),
            is_complete,
            tuple(section for section in sections if section.lines),
            self._evidence(one),
            (
                say(
                    "“Deleted” means that the entries are gone; where a system looked again afterwards, that is stated."
                ),
                say(
                    "“Rendered unreadable” means that encrypted copies may remain in logs or backups, and that the key "
                    "to them was destroyed: nobody can read them any more."
                ),
                say("This certificate names nobody. Whoever holds the public key can verify it without Lethe."),
            ),
        )

    def _course(self, one: Certificate) -> tuple[tuple[str, tuple[str, ...]], ...]:
        say = self._say
        lines = [(say("Request"), (str(one.request_id),)), (say("Received"), (self._moment(one.received_at),))]
        if one.verified_at is not None:
            lines.append((say("Identity verified"), (self._moment(one.verified_at),)))
        after = say("%(moment)s: nothing about the person left after it.") % {"moment": self._moment(one.fenced_at)}
        lines += [(say("Effective"), (after,)), (say("Completed"), (self._moment(one.completed_at),))]
        if one.replaces is not None:
            lines.append((say("Replaces"), (say("certificate %(number)s") % {"number": one.replaces},)))
        return tuple(lines)

    def _stores(self, stores: tuple[StoreProof, ...]) -> tuple[tuple[str, tuple[str, ...]], ...]:
        return tuple((f"{one.name} ({one.kind})", tuple(self._store(one))) for one in stores)

    def _store(self, one: StoreProof) -> list[str]:
        say, said = self._say, []
        if one.deleted:
            counts = ", ".join(f"{deleted.what} {deleted.count}" for deleted in one.deleted)
            said.append(say("Deleted: %(counts)s.") % {"counts": counts})
        if one.verified_absent_at is not None:
            rest = say("A later look found nothing: %(moment)s.")
            if one.kept:
                rest = say("A later look found nothing but what is kept: %(moment)s.")
            said.append(rest % {"moment": self._moment(one.verified_absent_at)})
        if one.rendered_unreadable is not None:
            gone = self._moment(one.rendered_unreadable.destroyed_at)
            said.append(
                say("Rendered unreadable: key epoch %(epoch)s was destroyed, %(moment)s.")
                % {"epoch": one.rendered_unreadable.key_epoch, "moment": gone}
            )
        for kept in one.kept:
            said.append(say("Kept: %(what)s, on this ground: %(ground)s.") % {"what": kept.what, "ground": kept.ground})
            if kept.until is not None:
                said.append(say("It is kept until %(day)s.") % {"day": self._day(kept.until)})
        if one.backups_expire_on is not None:
            said.append(say("Backups that may hold it expire on %(day)s.") % {"day": self._day(one.backups_expire_on)})
        if one.not_confirmed is not None:
            said.append(self._unconfirmed(one.not_confirmed))
        return said

    def _carrier(self, one: CarrierProof) -> tuple[str, tuple[str, ...]]:
        say = self._say
        said = [
            say("Told to forget the address of %(count)s shipments: %(moment)s.")
            % {"count": one.shipments, "moment": self._moment(one.told_at)}
        ]
        if one.acknowledged_at is None:
            said.append(say("It has not acknowledged that yet."))
        else:
            said.append(
                say("It has acknowledged %(count)s of them: %(moment)s.")
                % {"count": one.acknowledged, "moment": self._moment(one.acknowledged_at)}
            )
        if one.kept:
            said.append(say("Of these it keeps %(count)s on a legal ground of its own.") % {"count": one.kept})
        if one.gone_from_topic_at is not None:
            moment = self._moment(one.gone_from_topic_at)
            said.append(say("The addresses are gone from its topic: %(moment)s.") % {"moment": moment})
        if one.not_confirmed is not None:
            said.append(self._unconfirmed(one.not_confirmed))
        return one.carrier, tuple(said)

    def _topic(self, one: TopicProof) -> tuple[str, tuple[str, ...]]:
        say = self._say
        if one.shared is not None:
            said = say("Shared with other systems, so not trimmed: its last bytes go on %(day)s (kept %(days)s days).")
            return one.topic, (said % {"day": self._day(one.shared.gone_on), "days": one.shared.retention_days},)
        if one.trimmed_at is not None:
            said = say("Deleted past the person's last event: %(moment)s.")
            return one.topic, (said % {"moment": self._moment(one.trimmed_at)},)
        return one.topic, (self._unconfirmed(one.not_confirmed or ""),)

    def _unconfirmed(self, reason: str) -> str:
        return self._say("Not confirmed: %(reason)s.") % {"reason": reason.rstrip(".")}

    def _evidence(self, one: Certificate) -> tuple[tuple[str, str], ...]:
        say = self._say
        return (
            (say("Issued by"), f"{one.controller}, {self._moment(one.issued_at)}"),
            (say("SHA-256"), one.hash),
            (say("Certificate before it"), one.previous_hash),
            (say("Signing key"), f"Ed25519, {one.key_id}"),
            (say("Signature"), one.signature),
        )

    def _moment(self, moment: datetime) -> str:
        said: str = format_datetime(moment, "d MMMM y, HH:mm:ss", locale=_LOCALES[self._language])
        return f"{said} UTC"

    def _day(self, day: date) -> str:
        return str(format_date(day, "long", locale=_LOCALES[self._language]))
