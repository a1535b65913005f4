"""A folder of exports that other programs wrote: CSV as a spreadsheet makes it, and JSON lines."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from tests.support import stores
from tests.support.stores import Customer

HEADER = '\ufeff"E-mail";"Ref";"Remark"\r\n'


class FolderSite:
    """Implements `Site`."""

    can_lie = False

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "exports"
        self.folder.mkdir()
        keys = {"email": "E-mail", "customer_ref": "Ref"}
        self.options: dict[str, object] = {
            "path": str(self.folder),
            "files": [
                {"what": "customers", "glob": "*.csv", "format": "csv", "delimiter": ";", "keys": keys},
                {"what": "events", "glob": "events/*.jsonl", "format": "jsonl",
                 "keys": {"email": "user.email", "order_id": "orders"}},
            ],
        }  # fmt: skip
        self.store = stores.store("folder", self.options, name="exports")
        (self.folder / "events").mkdir()
        (self.folder / "customers.csv").write_text(HEADER, newline="")

    async def plant(self, people: Sequence[Customer]) -> None:
        with (self.folder / "customers.csv").open("a", newline="") as csv:
            for person in people:
                csv.write(f'"{person.email}";{person.customer_ref};"said ""two; lines"",\n and   more"\r\n')
        with (self.folder / "events/2026.jsonl").open("a") as lines:
            for person in people:
                lines.write(json.dumps({"user": {"email": person.email.upper()}, "orders": []}) + "\n")
                lines.write(json.dumps({"user": None, "orders": [int(one) for one in person.order_ids]}) + "  \n")

    async def content(self, people: Sequence[Customer]) -> object:
        paths = sorted([*self.folder.rglob("*.jsonl"), *self.folder.rglob("*.csv")])
        text = "".join(path.read_bytes().decode() for path in paths)
        tokens = [
            token.lower() for one in people for token in (one.email, f";{one.customer_ref};", f"[{one.order_ids[0]},")
        ]
        return [line for line in text.split("\n") if any(token in line.lower() for token in tokens)]

    async def is_empty_of(self, person: Customer) -> bool:
        return await self.content([person]) == []

    async def break_down(self) -> None:
        self.folder.rename(self.folder.with_name("unmounted"))

    async def come_back(self) -> None:
        os.rename(self.folder.with_name("unmounted"), self.folder)

    async def lie(self) -> None:
        raise AssertionError("a folder does what it is told")
