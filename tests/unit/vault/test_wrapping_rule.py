"""Who makes a data key holds the key epoch it is wrapped under: a rotation would destroy the epoch meanwhile."""

from tests.support.lethe import ROOT


def test_whoever_wraps_holds_the_epoch() -> None:
    files = {
        path.relative_to(ROOT).as_posix(): path.read_text()
        for path in (ROOT / "workers").rglob("*.py")
        if path.name != "sealing.py"
    }
    wrapping = {name: text for name, text in files.items() if "new_wrapped_key(" in text}
    assert {"workers/engine/parking.py", "workers/postbox/inbox.py", "workers/vault/subjects.py"} <= wrapping.keys()
    # subjects.py asks within its query
    careless = [name for name, text in wrapping.items() if "epochs.hold(" not in text and "subjects" not in name]
    assert not careless, f"call epochs.hold in the transaction that stores the key: {careless}"
