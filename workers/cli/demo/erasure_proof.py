"""The certificate of the demo's erasure, verified as an outsider would; and who is on the list."""

import re
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg

from workers import purposes
from workers.consent import listing
from workers.consent.desk import ConsentDesk
from workers.db import sql
from workers.domain.consent import VALID
from workers.errors import LetheError
from workers.mail.desk import MailDesk
from workers.proof import signing, verification
from workers.proof.certificate import Certificate
from workers.proof.verification import ChainCheck, Fault, Head
from workers.settings import Settings
from workers.vault import keyring as keyrings
from workers.vault.subjects import SubjectVault

_QUERIES = sql.queries("certificates")
_COUNT: Final = re.compile(rb'"count":(\d)')


class Proof(NamedTuple):
    """A certificate, what is wrong with it or the chain, and what was said of a copy with one count changed."""

    certificate: Certificate
    chain_length: int
    faults: tuple[Fault, ...]
    altered: tuple[Fault, ...]


async def verify(settings: Settings, db: asyncpg.Connection, request_id: UUID) -> Proof:
    """Check the whole chain to its head with the public key. Raises LetheError where the request has no certificate."""
    keys = signing.known_keys(settings.keyring_dir)
    check, found, faults = ChainCheck(keys, whole=True), None, list[Fault]()
    for row in await db.fetch(_QUERIES["all"]):
        checked = check.add(row["document"])
        faults += checked.faults
        if row["request_id"] == request_id:
            found = checked.certificate
    head = await db.fetchrow(_QUERIES["head"])
    assert head is not None  # the migration put it there
    faults += check.end(Head(head["sequence"], head["hash"].hex()))
    if found is None:
        raise LetheError("the request has no certificate that can be read")
    altered = _COUNT.sub(lambda digit: b'"count":%d' % (int(digit[1]) % 9 + 1), found.document, count=1)
    return Proof(found, check.count, tuple(faults), verification.verify(altered, keys).faults)


async def subscribed(settings: Settings, db: asyncpg.Connection, purpose: str) -> frozenset[str]:
    """The addresses that mail for this purpose may go to now."""
    keyring = keyrings.load(settings.keyring_dir)
    desk = ConsentDesk(SubjectVault(keyring), keyring, purposes.load(settings.purposes_file), MailDesk(), settings)
    found = set[str]()
    async with db.transaction():
        for status in VALID:
            async for entry in listing.entries(db, desk, purpose, status):
                if entry.contact is not None:
                    found.add(entry.contact.email)
    return frozenset(found)
