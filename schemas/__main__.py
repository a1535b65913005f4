"""`python -m schemas write | check | release`."""

import argparse
import sys

from schemas import jsonschema, registry, release

_HELP = """\
write     regenerate schemas/json from the models
check     exit 1 if that is out of date, or if a model breaks what is released
release   make the present schemas the released ones, unless that breaks something

example: python -m schemas check
"""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return the exit code: 0, or 1 with one line per thing that is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m schemas", description=_HELP, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("write", "check", "release"))
    command = parser.parse_args(arguments).command
    return {"write": _write, "check": _check, "release": _release}[command]()


def _write() -> int:
    changed = jsonschema.write()
    for path in changed:
        print(f"changed {path.name}")
    print(f"{len(registry.EVENTS)} events, {len(changed)} files changed")
    return 0


def _check() -> int:
    stale = [f"{path.name}: out of date; run `python -m schemas write`" for path in jsonschema.stale()]
    broken = release.broken()
    for line in stale + broken:
        print(line, file=sys.stderr)
    if broken:
        print("Keep what is released; add what is new as a version 2 beside it.", file=sys.stderr)
    for spec in release.unreleased():
        print(f"{spec.type} v{spec.version}: not released yet; `python -m schemas release` promises it")
    if stale or broken:
        return 1
    print(f"{len(registry.EVENTS)} events: schemas are up to date and nothing released breaks")
    return 0


def _release() -> int:
    jsonschema.write()
    broken = release.broken()
    for line in broken:
        print(line, file=sys.stderr)
    if broken:
        print("Not released: these would break somebody.", file=sys.stderr)
        return 1
    for path in release.publish():
        print(f"released {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
