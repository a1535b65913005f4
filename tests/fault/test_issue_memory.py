"""A sender needs no more memory for a long issue than for a short one."""

from pathlib import Path

import pytest

from tests.support import issues, lethe
from tests.support.endpoints import Endpoints
from tests.support.fast_sink import fast_sink
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process

COUNT = 100_000
_GROWTH_KB = 8_192


def resident_kb(pid: int) -> int:
    """The process's resident memory (Linux)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_memory_does_not_grow_with_the_recipients(stack: Endpoints, prefix: str, database: str, tmp_path: Path) -> None:
    with fast_sink() as sink:
        settings = lethe.prepare(
            stack, prefix, database, tmp_path, smtp_port=sink.port, mails_per_s=100_000, mails_per_s_per_domain=100_000,
            dkim_dir=tmp_path / "none",
        )  # fmt: skip
        issues.begin(settings, COUNT)
        with worker_process(settings, ["mailer"]) as worker:
            wait_until(lambda: len(sink.recipients()) > COUNT // 10, 200.0, "the first tenth arrives", poll_s=1.0)
            early_kb = resident_kb(worker.pid)
            wait_until(lambda: len(sink.recipients()) == COUNT, 600.0, "the others arrive", poll_s=2.0)
            late_kb = resident_kb(worker.pid)
    assert late_kb - early_kb < _GROWTH_KB
