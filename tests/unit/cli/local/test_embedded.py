"""Where the mails of `lethe up` go, and that those of invented people never leave the machine."""

from pathlib import Path

import pytest

from deploy.local.stack import Stack
from workers.cli.local import embedded
from workers.cli.local.embedded import Ports

PORTS = Ports(20001, 20003, 20004, 20007, 20008, 20009)


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Not started: only where it would be."""
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "password").write_text("secret\n")
    return embedded.stack(tmp_path, PORTS)


def test_mails_are_kept_unless_a_server_is_named(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = embedded.settings(stack, tmp_path, PORTS)
    assert (kept.sink_dir, kept.smtp_port, kept.postbox_port) == (tmp_path / "mails", 20007, 20009)
    monkeypatch.setenv("LETHE_SMTP_HOST", "mail.shop.example")
    assert embedded.settings(stack, tmp_path, PORTS).sink_dir is None


def test_the_demo_s_mails_stay_here_whoever_is_named(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("SMTP_HOST", "mail.shop.example"), ("SMTP_USERNAME", "shop"), ("SMTP_PASSWORD", "secret"),
        ("PUBLIC_URL", "https://shop.example"), ("PURPOSES_FILE", str(tmp_path / "own.yaml")),
    ):  # fmt: skip
        monkeypatch.setenv(f"LETHE_{name}", value)
    (tmp_path / "own.yaml").touch()
    alone = embedded.settings(stack, tmp_path, PORTS, alone=True)
    assert (alone.smtp_host, alone.smtp_username, alone.sink_dir) == ("127.0.0.1", None, tmp_path / "mails")
    assert alone.public_url == "http://127.0.0.1:20008"
    assert alone.purposes_file == embedded.ROOT / "deploy/purposes.yaml"


def test_the_demo_s_stores_are_its_own_and_its_segments_short(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    monkeypatch.setenv("LETHE_STORES_DIR", str(own))
    up, alone = (embedded.settings(stack, tmp_path, PORTS, alone=alone) for alone in (False, True))
    assert (up.stores_dir, up.orders_in_flight, up.segment_ms) == (own, "wait", 5000)
    assert (alone.stores_dir, alone.orders_in_flight, alone.segment_ms) == (tmp_path / "stores", "cancel", 1000)
