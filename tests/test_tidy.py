"""The house rules that no linter knows, over the files that git tracks."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = ("workers/", "schemas/", "topics/", "deploy/")
FUNCTION_MAX_LINES = 70
FILE_MAX_LINES = 350

# Statements, not prose: a verb, then what must follow it in SQL.
SQL = re.compile(
    r"\b(select\b.{1,200}\bfrom|insert\s+into|update\s+[a-z_.\"]+\s+set|delete\s+from"
    r"|create\s+(table|index|schema))\b",
    re.IGNORECASE | re.DOTALL,
)
# Path -> why SQL may stand in a Python string there.
SQL_ALLOWED: dict[str, str] = {
    "workers/stores/statements.py": "over tables that only the file of a store names, in two dialects",
}

# Written in halves, so that this file does not name them either.
REGISTRIES = re.compile(
    "|".join(
        re.escape(host + domain)
        for host, domain in (
            ("pypi", ".org"),
            ("python", "hosted.org"),
            ("maven", ".org"),
            ("repo.ma", "ven.apache.org"),
            ("central.sona", "type.com"),
            ("registry.", "npmjs"),
            ("crates", ".io"),
            ("proxy.", "golang.org"),
            ("deb.", "debian.org"),
        )
    )
)
LEFT_OPEN = re.compile(r"\b(TO" + "DO|FIX" + "ME|XX" + r"X)\b")


@cache
def tracked() -> tuple[str, ...]:
    """Every file that git tracks and that still exists, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    ).stdout
    return tuple(name for name in listed.split("\0") if name and (ROOT / name).is_file())


def texts() -> Iterator[tuple[str, str]]:
    for name in tracked():
        content = (ROOT / name).read_bytes()
        if b"\0" not in content:
            yield name, content.decode(errors="replace")


def modules(*below: str) -> Iterator[tuple[str, ast.Module]]:
    for name in tracked():
        if name.endswith(".py") and name.startswith(below):
            yield name, ast.parse((ROOT / name).read_text())


def docstrings(tree: ast.Module) -> set[int]:
    """The ids of the string nodes that are docstrings: prose, where "select … from" may well stand."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                found.add(id(first.value))
    return found


def long_functions(tree: ast.Module) -> list[str]:
    return [
        f"{node.name} (line {node.lineno})"
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_MAX_LINES
    ]


def sql_strings(tree: ast.Module) -> list[int]:
    prose = docstrings(tree)
    return [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in prose
        and SQL.search(node.value)
    ]


def imports_of_ours(tree: ast.Module) -> list[str]:
    """Dotted names; `from a import b` as a.b, which may be a module."""
    names = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return [name for name in names if name.partition(".")[0] in ("workers", "schemas", "topics", "deploy")]


def more_than_a_docstring(tree: ast.Module) -> bool:
    prose = docstrings(tree)
    return any(not (isinstance(node, ast.Expr) and id(node.value) in prose) for node in tree.body)


def test_no_function_is_longer_than_a_screen() -> None:
    found = {name: names for name, tree in modules(*OURS) if (names := long_functions(tree))}
    assert not found, f"over {FUNCTION_MAX_LINES} lines: {found}"


def test_no_worker_file_holds_more_than_one_idea() -> None:
    sizes = {name: len((ROOT / name).read_text().splitlines()) for name, _ in modules("workers/")}
    found = {name: size for name, size in sizes.items() if size > FILE_MAX_LINES}
    assert not found, f"over {FILE_MAX_LINES} lines: {found}"


def test_sql_stands_in_sql_files_only() -> None:
    found = {
        name: lines for name, tree in modules("workers/") if name not in SQL_ALLOWED and (lines := sql_strings(tree))
    }
    assert not found, f"SQL in Python strings, by line: {found}"


def test_what_may_hold_sql_still_does() -> None:
    trees = dict(modules("workers/"))
    idle = [name for name in SQL_ALLOWED if name not in trees or not sql_strings(trees[name])]
    assert not idle, f"no longer needed in SQL_ALLOWED: {idle}"


@pytest.mark.parametrize("pattern", [REGISTRIES, LEFT_OPEN], ids=["registry host", "left open"])
def test_no_file_names(pattern: re.Pattern[str]) -> None:
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
        for name, text in texts()
        for match in pattern.finditer(text)
    ]
    assert not found, f"take it out: {found}"


def test_every_package_says_what_it_is_and_nothing_more() -> None:
    trees = {name: tree for name, tree in modules(*OURS) if name.endswith("/__init__.py")}
    directories = {str(Path(name).parent) for name, _ in modules(*OURS)}
    missing = sorted(directory for directory in directories if f"{directory}/__init__.py" not in trees)
    assert not missing, f"no __init__.py: {missing}"
    code = [name for name, tree in trees.items() if more_than_a_docstring(tree)]
    assert not code, f"code in __init__.py: {code}"


def test_the_domain_imports_only_schemas_and_the_errors_of_ours() -> None:
    allowed = ("schemas", "workers.domain", "workers.errors")
    found = {
        name: strangers
        for name, tree in modules("workers/domain/")
        if (strangers := [used for used in imports_of_ours(tree) if not used.startswith(allowed)])
    }
    assert not found, f"the domain decides from what it is given: {found}"


def test_only_the_command_line_imports_deploy() -> None:
    found = [
        name
        for name, tree in modules("workers/")
        if not name.startswith("workers/cli/") and any(used.startswith("deploy") for used in imports_of_ours(tree))
    ]
    assert not found, f"deploy is not shipped: {found}"


class TestTheRulesThemselves:
    """A rule that cannot fail is none."""

    def test_a_long_function_is_found(self) -> None:
        body = "\n".join("    pass" for _ in range(FUNCTION_MAX_LINES))
        assert long_functions(ast.parse(f"async def long():\n{body}"))
        assert not long_functions(ast.parse("def short():\n    pass"))

    @pytest.mark.parametrize(
        "statement",
        [
            "select a\nfrom b",
            "INSERT INTO b VALUES (1)",
            "update b set a = 1",
            "delete from b",
            "create table b ()",
        ],
    )
    def test_sql_is_found(self, statement: str) -> None:
        assert sql_strings(ast.parse(f"query = {statement!r}"))
        assert sql_strings(ast.parse(f"query = f{statement!r}"))

    @pytest.mark.parametrize("prose", ["select a carrier", "an update to the address", "deleted from disk"])
    def test_prose_is_not_sql(self, prose: str) -> None:
        assert not sql_strings(ast.parse(f"text = {prose!r}"))

    def test_a_docstring_is_not_sql(self) -> None:
        assert not sql_strings(ast.parse('def f():\n    """Select one from many."""'))

    def test_every_form_of_import_is_seen(self) -> None:
        tree = ast.parse("import deploy.local\nfrom workers import clock\nfrom topics.plan import P")
        assert sorted(imports_of_ours(tree)) == ["deploy.local", "topics.plan.P", "workers.clock"]

    def test_code_in_a_package_file_is_found(self) -> None:
        assert more_than_a_docstring(ast.parse('"""Words."""\nimport os'))
        assert not more_than_a_docstring(ast.parse('"""Words."""'))
        assert not more_than_a_docstring(ast.parse(""))
