"""Named queries, read from `queries/*.sql`.

A query starts at a line `-- name: load_positions` and ends at the next one; the comment lines below the name say
what it is for. No SQL stands in Python.
"""

import re
from functools import cache
from importlib import resources

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)


@cache
def queries(subject: str) -> dict[str, str]:
    """The queries of `queries/<subject>.sql` by name. Raises KeyError on use of an unknown name."""
    text = (resources.files("workers.db") / "queries" / f"{subject}.sql").read_text("utf-8")
    parts = _NAME.split(text)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
