"""A certificate in the plain words of a mail: what was deleted, what is unreadable, what is kept, who was told."""

from typing import Final

from workers.proof.certificate import Certificate
from workers.proof.facts import StoreProof

_WORDS: Final = {
    "en": {
        "own": "In our own systems: deleted, {count} entries. What copies of the disk or backups still hold of it has "
        "been unreadable since {day}: the key was destroyed.",
        "absent": "{name}: deleted; a later look on {day} found nothing.",
        "kept": "{name}: kept are {what}, on this ground: {ground}{until}.",
        "until": ", until {day}",
        "backups": "{name}: backups that may still hold it expire on {day}.",
        "silent": "{name}: not confirmed. {reason}",
        "carrier": "{name}: was told to forget the address; shipments: {count}.",
        "shared": "{name}: events of the shop's own systems are there until {day}.",
    },
    "fr": {
        "own": "Dans nos propres systèmes : {count} entrées supprimées. Ce que des copies du disque ou des sauvegardes "
        "en contiennent encore est illisible depuis le {day} : la clé a été détruite.",
        "absent": "{name} : supprimé ; une vérification ultérieure, le {day}, n'a rien trouvé.",
        "kept": "{name} : sont conservés {what}, pour ce motif : {ground}{until}.",
        "until": ", jusqu'au {day}",
        "backups": "{name} : les sauvegardes qui peuvent encore le contenir expirent le {day}.",
        "silent": "{name} : non confirmé. {reason}",
        "carrier": "{name} : a été averti d'oublier l'adresse ; envois : {count}.",
        "shared": "{name} : des événements des systèmes de la boutique y restent jusqu'au {day}.",
    },
}


def words(certificate: Certificate, language: str) -> str:
    """Paragraphs, a blank line between them; English where the language is not spoken."""
    said = _WORDS.get(language, _WORDS["en"])
    lines = []
    for own in certificate.own_stores:
        if own.rendered_unreadable is not None:
            count, day = sum(one.count for one in own.deleted), own.rendered_unreadable.destroyed_at.date().isoformat()
            lines.append(said["own"].format(count=count, day=day))
    for store in certificate.stores:
        lines += _store(store, said)
    lines += [said["carrier"].format(name=one.carrier, count=one.shipments) for one in certificate.carriers]
    lines += [
        said["shared"].format(name=one.topic, day=one.shared.gone_on.isoformat())
        for one in certificate.topics
        if one.shared is not None
    ]
    return "\n\n".join(lines)


def _store(store: StoreProof, said: dict[str, str]) -> list[str]:
    if store.verified_absent_at is None:
        return [said["silent"].format(name=store.name, reason=store.not_confirmed or "")]
    lines = []
    for one in store.kept:
        until = "" if one.until is None else said["until"].format(day=one.until.isoformat())
        lines.append(said["kept"].format(name=store.name, what=one.what, ground=one.ground, until=until))
    if not store.kept:
        lines.append(said["absent"].format(name=store.name, day=store.verified_absent_at.date().isoformat()))
    if store.backups_expire_on is not None:
        lines.append(said["backups"].format(name=store.name, day=store.backups_expire_on.isoformat()))
    return lines
