"""The broker's jars: named with their sha256 in `jars.lock`, fetched once through jgo, then cached."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from deploy.local.failure import StackError

LOCK = Path(__file__).with_name("jars.lock")
REPOSITORY_VARIABLE = "LETHE_MAVEN_REPOSITORY"
_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.5
_PARALLEL = 4
_TIMEOUT_S = 20


class Jar(NamedTuple):
    """One line of the lock file; the order of the file is the order of the class path."""

    group: str
    artifact: str
    version: str
    sha256: str
    size_bytes: int
    classifier: str = ""

    @property
    def filename(self) -> str:
        """Unique within the lock file."""
        return f"{'-'.join(filter(None, (self.artifact, self.version, self.classifier)))}.jar"


def locked(path: Path = LOCK) -> list[Jar]:
    """The jars in class path order."""
    return [Jar(**entry) for entry in tomllib.loads(path.read_text())["jar"]]


def default_cache(data_dir: Path) -> Path:
    """`lethe/jars` in the user's cache directory when that is writable, else in the data directory."""
    bases = [os.environ.get("XDG_CACHE_HOME"), os.environ.get("HOME") and f"{os.environ['HOME']}/.cache"]
    for base in filter(None, bases):
        directory = Path(base) / "lethe" / "jars"
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(directory, os.W_OK):
            return directory
    return data_dir / "jars"


def ensure(cache: Path, lock: Path = LOCK, show_progress: bool = True) -> list[Path]:
    """The verified jars' paths in class path order, fetched first where they are missing.

    A stamp named after the lock file says that all were verified, so later calls only compare sizes. Safe for
    several processes at once; an interrupted fetch goes on where it stopped.
    Raises StackError: no network, wrong checksum.
    """
    wanted = locked(lock)
    paths = [cache / jar.filename for jar in wanted]
    stamp = cache / f"verified-{hashlib.sha256(lock.read_bytes()).hexdigest()[:16]}"
    if stamp.exists() and all(map(_has_size, wanted, paths)):
        return paths
    cache.mkdir(parents=True, exist_ok=True)
    with _only_one(cache / "fetching.lock"):
        missing = [jar for jar, path in zip(wanted, paths, strict=True) if not _is_verified(jar, path)]
        if missing:
            _fetch_all(missing, cache, show_progress)
        stamp.touch()
    return paths


def _has_size(jar: Jar, path: Path) -> bool:
    try:
        return path.stat().st_size == jar.size_bytes
    except OSError:
        return False


def _is_verified(jar: Jar, path: Path) -> bool:
    return _has_size(jar, path) and hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Waits until no other process fetches into the same cache."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _fetch_all(missing: list[Jar], cache: Path, show_progress: bool) -> None:
    with _progress(missing, show_progress) as advance, ThreadPoolExecutor(_PARALLEL) as pool:
        jobs = [pool.submit(_fetch, jar, cache, advance) for jar in missing]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _progress(missing: list[Jar], show: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error; the value is called with the bytes that arrived."""
    from rich import progress
    from rich.console import Console

    columns = (
        progress.TextColumn("{task.description}"),
        progress.BarColumn(),
        progress.DownloadColumn(),
        progress.TransferSpeedColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), disable=not show) as bar:
        task = bar.add_task("First start: fetching Apache Kafka", total=sum(jar.size_bytes for jar in missing))
        yield lambda size_bytes: bar.advance(task, size_bytes)


def _fetch(jar: Jar, cache: Path, advance: Callable[[int], None]) -> None:
    """Downloads one jar beside the cache, verifies it, and only then moves it into place."""
    workplace = Path(tempfile.mkdtemp(prefix="fetching-", dir=cache))
    try:
        path = _download(jar, workplace)
        if hashlib.sha256(path.read_bytes()).hexdigest() != jar.sha256:
            raise StackError(
                f"{jar.filename} as downloaded is not the file that {LOCK.name} names (sha256 differs) and "
                "was removed: try again; if it stays so, a proxy or mirror alters downloads"
            )
        os.replace(path, cache / jar.filename)
    finally:
        shutil.rmtree(workplace, ignore_errors=True)
    advance(jar.size_bytes)


def _download(jar: Jar, workplace: Path) -> Path:
    """One artifact by jgo, tried a few times with a growing pause."""
    import requests
    from jgo.maven import MavenContext

    mirror = os.environ.get(REPOSITORY_VARIABLE)
    for attempt in range(_ATTEMPTS):
        context = MavenContext(
            repo_cache=workplace / str(attempt),
            remote_repos={"mirror": mirror} if mirror else None,
            timeout=_TIMEOUT_S,
        )
        try:
            artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact(jar.classifier)
            return Path(artifact.resolve())
        except (requests.RequestException, OSError, RuntimeError):  # RuntimeError: no repository answered 200
            time.sleep(_FIRST_PAUSE_S * 2**attempt)
    raise StackError(
        f"{jar.filename} could not be downloaded: check the network or the proxy, or set "
        f"{REPOSITORY_VARIABLE} to a Maven repository that you can reach"
    )
