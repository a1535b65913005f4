"""Labelled points at which a fault test ends the process as `kill -9` would.

`LETHE_CRASH_AT=<label>:<n>` kills the process when it reaches the label for the n-th time, `<label>:<n>:pause` stops it
there until it gets SIGCONT. Unset (as in every deployment) a crash point costs one comparison.
"""

import os
import signal
from typing import Literal

Label = Literal[
    "batch.before_commit",
    "batch.after_commit",
    "lane.before_publish",
    "lane.before_kafka_commit",
    "lane.after_kafka_commit",
    "lane.before_recovery",
    "relay.before_kafka_commit",
    "relay.after_kafka_commit",
    "parking.before_commit",
    "replay.before_commit",
    "mail.claimed",
    "mail.unknown",
    "mail.released",
    "mail.answered",
    "announcer.before_commit",
    "postbox.after_store",
    "postbox.before_commit",
    "rotation.key_made",
    "rotation.switched",
    "rotation.before_commit",
    "rotation.rewrapped",
    "rotation.copied",
    "rotation.listed",
    "rotation.overwritten",
    "rotation.unlinked",
    "restore.begun",
    "restore.keys",
    "restore.ledger",
    "restore.positions",
    "restore.rotated",
    "erasure.before_release_commit",
    "erasure.released",
    "erasure.before_fence_commit",
    "erasure.fenced",
    "erasure.graced",
    "erasure.before_erase_commit",
    "erasure.erased",
    "erasure.before_ask_commit",
    "erasure.asked",
    "erasure.rotated",
    "erasure.shredded",
    "erasure.trimmed",
    "erasure.looked",
    "erasure.proven",
    "erasure.before_certificate_commit",
    "erasure.certified",
    "erasure.before_forget_commit",
    "erasure.forgotten",
    "stores.claimed",
    "stores.done",
    "stores.before_receipt",
    "stores.answered",
]

_armed, _, _turn = os.environ.get("LETHE_CRASH_AT", "").partition(":")
_count, _, _what = _turn.partition(":")
_left = int(_count or 1)
_signal = signal.SIGSTOP if _what == "pause" else signal.SIGKILL


def reach(label: Label) -> None:
    """End the process with SIGKILL, or pause it, when this is the armed label's turn."""
    if label == _armed:
        _strike()


def _strike() -> None:
    global _left
    _left -= 1
    if _left == 0:
        os.kill(os.getpid(), _signal)
