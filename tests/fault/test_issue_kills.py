"""`kill -9` at the sender's worst moments in an issue: nobody twice, nobody forgotten but those listed as unknown."""

import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.fault.conftest import labels
from tests.support import issues, lethe
from tests.support.endpoints import Endpoints
from tests.support.fast_sink import fast_sink
from tests.support.waiting import wait_until
from tests.support.worker_process import worker_process

COUNTS = [
    pytest.param(2_000, id="2000"),
    pytest.param(20_000, id="20000", marks=pytest.mark.torture),
]
TURNS = {"mail.unknown": 5, "mail.released": 9, "mail.answered": 700, "mail.claimed": 11}


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("label", labels(*TURNS))
def test_nobody_twice_and_nobody_forgotten(
    stack: Endpoints, prefix: str, database: str, tmp_path: Path, count: int, label: str
) -> None:
    with fast_sink() as sink:
        settings = lethe.prepare(
            stack, prefix, database, tmp_path, smtp_port=sink.port, mails_per_s=100_000, mails_per_s_per_domain=100_000,
            dkim_dir=tmp_path / "none", mail_claim_s=2,
        )  # fmt: skip
        contacts = issues.begin(settings, count)
        with worker_process(settings, ["mailer"], crash_at=f"{label}:{TURNS[label]}", ready=False) as doomed:
            assert doomed.wait(60) == -signal.SIGKILL
        assert 0 < len(sink.recipients()) < count
        with worker_process(settings, ["mailer"]):
            wait_until(lambda: issues.standing(settings).state == "sent", 100.0, lambda: str(issues.standing(settings)))
        found, received = issues.standing(settings), Counter(sink.recipients())
    assert set(received.values()) == {1}, "nobody twice"
    assert {contacts[email] for email in contacts.keys() - received.keys()} <= found.unknown, "who is missing is listed"
    assert found.progress.get("unknown", 0) == len(found.unknown)
    assert found.progress["sent"] + len(found.unknown) == count
    assert set(found.progress) <= {"sent", "unknown"}
