"""`lethe up` from nothing: ready, guarded, quickly there again, and nothing left behind."""

import os
import signal
import smtplib
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.support import waiting
from tests.support.lethe import ROOT
from tests.support.mailbox import question
from workers.cli.local.embedded import Ports


class Up:
    """One run of `lethe up` in a directory of its own."""

    def __init__(self, directory: Path, ports: Ports) -> None:
        self.directory = directory
        self.output = directory / "up.out"
        self.ports = ports
        listen = [part for name, port in ports._asdict().items() for part in (f"--{name}-port", port)]
        self.command = [sys.executable, "-m", "workers", "up", *map(str, listen)]
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LETHE_")},
            "PYTHONPATH": str(ROOT),
        }

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """Until it says that it is ready; killed afterwards if it still runs."""
        with self.output.open("wb") as output:
            process = subprocess.Popen(
                self.command, stdout=output, stderr=output, env=self.environment, cwd=self.directory
            )
        try:
            waiting.wait_until(
                lambda: self.said("Ready after") or process.poll() is not None, 200.0, self.output.read_text
            )
            assert process.poll() is None, self.output.read_text()
            yield process
        finally:
            process.kill()
            process.wait()

    def said(self, text: str) -> bool:
        return text in self.output.read_text()

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "workers", *arguments]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment, cwd=self.directory)

    def left_over(self) -> list[str]:
        """Processes whose command line names the directory."""
        found = []
        for process in psutil.process_iter(["cmdline"]):
            line = " ".join(process.info["cmdline"] or [])
            if str(self.directory) in line and process.status() != psutil.STATUS_ZOMBIE:
                found.append(line[:120])
        return found


@pytest.fixture
def up(stack_dir: Path) -> Up:
    return Up(stack_dir, Ports.free())


@pytest.mark.timeout(600)
def test_it_runs_is_guarded_starts_again_and_leaves_nothing_behind(up: Up) -> None:
    with up.running() as process:
        assert up.run("doctor").returncode == 0
        second = subprocess.run(up.command, capture_output=True, text=True, env=up.environment, cwd=up.directory)
        assert second.returncode == 1
        assert "already runs" in second.stderr
        assert up.run("doctor").returncode == 0
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0
    assert up.left_over() == []
    assert not (up.directory / ".lethe" / "env").exists()

    with up.running() as process:
        process.kill()
        process.wait()
        waiting.wait_until(lambda: not up.left_over(), 90.0, lambda: f"gone: {up.left_over()}")


@pytest.mark.timeout(600)
def test_a_sign_up_becomes_a_mail_that_is_kept_and_not_sent(up: Up) -> None:
    with up.running() as process:
        form = urllib.parse.urlencode({"email": "ada@example.org", "purpose.newsletter": "yes"}).encode()
        with urllib.request.urlopen(f"http://127.0.0.1:{up.ports.public}/subscribe", form, timeout=30) as answer:
            assert answer.status == 200
        mails = f"http://127.0.0.1:{up.ports.web + 2}/mails"
        waiting.wait_until(lambda: "ada@example.org" in _page(mails), 30.0, lambda: _page(mails))
        assert f"http://127.0.0.1:{up.ports.public}/confirm/" in _page(f"{mails}/1")
        assert "Mails to people" in up.output.read_text()
        kept = (up.directory / ".lethe" / "mails" / "00000001.eml").read_text()
        assert kept.count("DKIM-Signature:") == 2
        with smtplib.LMTP("127.0.0.1", up.ports.postbox) as postbox:
            postbox.sendmail("bea@example.org", "privacy@shop.example", question("up", "bea@example.org"))
        waiting.wait_until(lambda: "We have your message" in _page(mails), 30.0, lambda: _page(mails))
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0


def _page(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text
