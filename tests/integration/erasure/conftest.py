"""A prepared Lethe with one store downstream: a folder with a line per customer."""

from pathlib import Path

import pytest
import yaml

from deploy.local import ports
from tests.support import lethe
from tests.support.endpoints import Endpoints
from tests.support.planted import EXPORT
from workers.settings import Settings

KEYS = {"email": "email", "customer_ref": "ref"}
WORKERS = ("shipping", "relay", "newsletter", "stores", "mailer", "requests")


@pytest.fixture
def chosen() -> dict[str, object]:
    """Further settings; a module overrides this."""
    return {}


@pytest.fixture
def settings(stack: Endpoints, prefix: str, database: str, tmp_path: Path, chosen: dict[str, object]) -> Settings:
    exports, stores = tmp_path / "exports", tmp_path / "stores"
    for folder in (exports, stores):
        folder.mkdir()
    head = {
        "name": "exports",
        "title": "Exports",
        "kind": "folder",
        "identifiers": ["email", "customer_ref"],
        "respond_within_s": 20,
        "backups_kept_days": 30,
        "options": {
            "path": str(exports),
            "files": [
                {
                    "what": "customers",
                    "glob": EXPORT,
                    "format": "csv",
                    "keys": {"email": "email", "customer_ref": "ref"},
                }
            ],
        },
    }
    (stores / "exports.yaml").write_text(yaml.safe_dump(head))
    return lethe.prepare(
        stack, prefix, database, tmp_path, stores_dir=stores, orders_in_flight="cancel", erasure_poll_s=0.1,
        sink_dir=tmp_path / "mails", smtp_port=ports.choose(1)[0], **{"segment_ms": 1000, **chosen},
    )  # fmt: skip
