"""Run the bench: see the package's text for what is measured and how."""

import shutil
import sys
import tempfile
from pathlib import Path

from bench import options, report
from bench.screen import Screen
from bench.session import Session
from bench.site import BenchError, Site
from deploy.local.stack import Stack
from workers import carriers
from workers.errors import LetheError
from workers.vault import keyring

_ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """0 with results, 1 with one line that says why there are none."""
    chosen = options.parse()
    screen, results = Screen(), report.Results(chosen)
    chosen.data_dir.mkdir(parents=True, exist_ok=True)
    # on a disk, not in the system's temporary directory, which may be memory: fsync must mean something
    data_dir = Path(tempfile.mkdtemp(prefix="bench-", dir=chosen.data_dir)).absolute()
    try:
        with screen.live():
            _measure(results, data_dir, screen)
    except (BenchError, LetheError) as error:
        screen.console.print(str(error), style="red", markup=False)
        return 1
    finally:
        shutil.rmtree(data_dir / "stack", ignore_errors=True)  # the contenders' logs stay where a run failed
    shutil.rmtree(data_dir, ignore_errors=True)
    report.write(results, chosen.results)
    report.show(results, screen.console)
    screen.console.print(f"written to {chosen.results}")
    return 0


def _measure(results: report.Results, data_dir: Path, screen: Screen) -> None:
    carriers_dir = _ROOT / "deploy" / "carriers"
    screen.say("starting Kafka and PostgreSQL")
    with Stack.ephemeral(data_dir / "stack") as stack:
        site = Site(stack, data_dir, carriers_dir, carriers.load(carriers_dir))
        keyring.create(site.keyring_dir)
        Session(site, results, screen).run()


if __name__ == "__main__":
    sys.exit(main())
