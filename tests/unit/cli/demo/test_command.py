"""What `lethe demo` refuses before it starts anything."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from workers.cli import app


def test_a_demo_that_was_kept_is_not_mixed_with_a_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".lethe" / "demo-7").mkdir(parents=True)
    done = CliRunner().invoke(app.app, ["demo", "--seed", "7", "--keep"])
    assert done.exit_code == 1
    assert "lethe up --data-dir .lethe/demo-7" in " ".join(done.output.split())
    assert not any((tmp_path / ".lethe" / "demo-7").iterdir())
