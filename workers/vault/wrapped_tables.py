"""Every table that holds wrapped data keys (columns `wrapped_key`, `key_epoch`), and what each key is bound to."""

from collections.abc import Callable
from typing import NamedTuple
from uuid import UUID

from workers.vault import sealing


class WrappedTable(NamedTuple):
    """`owner_column` is the uuid that a row's key is bound to, `spelled` how that is written in associated data."""

    name: str
    owner_column: str
    spelled: Callable[[UUID], str]

    def owner(self, owner: UUID, epoch: int) -> bytes:
        """The associated data of one row's wrapped key."""
        return sealing.place(self.name, "wrapped_key", self.spelled(owner), str(epoch))

    def query(self, template: str) -> str:
        """A query of `key_epochs.sql` for this table."""
        return template.replace("<table>", self.name).replace("<owner>", self.owner_column)


TABLES = (
    WrappedTable("subjects", "reference_hash", lambda owner: owner.hex),
    WrappedTable("dead_letters", "dead_letter_id", str),
    WrappedTable("inbox_mails", "fingerprint", str),
    WrappedTable("store_jobs", "task_id", str),
)
