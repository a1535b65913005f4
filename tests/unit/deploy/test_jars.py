"""The broker's jars, fetched from a Maven repository of the test's own: verified, cached, resumed, never half there."""

import hashlib
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deploy.local import jars
from deploy.local.failure import StackError

ROOT = Path(__file__).parents[3]
Answer = Callable[[BaseHTTPRequestHandler, bytes], None]


def content(name: str) -> bytes:
    return f"the jar {name} ".encode() * 5000


def whole(request: BaseHTTPRequestHandler, body: bytes) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def cut_short(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """The connection ends in the middle."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body[: len(body) // 2])
    request.wfile.flush()
    request.connection.close()


def altered(request: BaseHTTPRequestHandler, body: bytes) -> None:
    """As a proxy does that answers everything with a page of its own, of the same length by chance."""
    whole(request, b"?" * len(body))


def busy(request: BaseHTTPRequestHandler, body: bytes) -> None:
    request.send_error(503)


class Repository:
    """`answers[artifact]` are the ways in which its next requests are answered; afterwards it is whole."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.answers: dict[str, list[Answer]] = {}
        self.requests: Counter[str] = Counter()
        self._names = names
        repository = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                repository.answer(self)

            def log_message(self, *_: object) -> None:
                """Silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/maven"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        name = request.path.rpartition("/")[2].removesuffix("-1.0.jar")
        if name not in self._names:
            request.send_error(404)  # checksum files: the lock file has better ones
            return
        self.requests[name] += 1
        waiting = self.answers.get(name)
        (waiting.pop(0) if waiting else whole)(request, content(name))

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def repository(monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    made = Repository(("one", "two"))
    monkeypatch.setenv(jars.REPOSITORY_VARIABLE, made.url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setattr(jars, "_FIRST_PAUSE_S", 0.01)
    yield made
    made.close()


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    path = tmp_path / "jars.lock"
    path.write_text("".join(entry(name) for name in ("one", "two")))
    return path


def entry(name: str) -> str:
    sha256, size_bytes = hashlib.sha256(content(name)).hexdigest(), len(content(name))
    return (
        f'[[jar]]\ngroup = "org.example"\nartifact = "{name}"\nversion = "1.0"\n'
        f'sha256 = "{sha256}"\nsize_bytes = {size_bytes}\n\n'
    )


def fetch(cache: Path, lock: Path) -> list[Path]:
    return jars.ensure(cache, lock, show_progress=False)


def kept(cache: Path) -> set[str]:
    """What stays in the cache, but for its own book-keeping."""
    return {path.name for path in cache.iterdir() if not path.name.startswith(("verified-", "fetching.lock"))}


def test_they_are_fetched_once_and_stand_in_class_path_order(
    repository: Repository, lock: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "new" / "cache"
    paths = fetch(cache, lock)
    assert [path.name for path in paths] == ["one-1.0.jar", "two-1.0.jar"]
    assert [path.read_bytes() for path in paths] == [content("one"), content("two")]
    assert fetch(cache, lock) == paths
    assert repository.requests == {"one": 1, "two": 1}


def test_without_a_network_the_cache_is_enough(repository: Repository, lock: Path, tmp_path: Path) -> None:
    fetch(tmp_path / "cache", lock)
    repository.close()
    assert len(fetch(tmp_path / "cache", lock)) == 2


def test_a_download_that_was_interrupted_is_tried_again(repository: Repository, lock: Path, tmp_path: Path) -> None:
    repository.answers["one"] = [cut_short, busy]
    paths = fetch(tmp_path / "cache", lock)
    assert paths[0].read_bytes() == content("one")
    assert repository.requests["one"] == 3
    assert kept(tmp_path / "cache") == {"one-1.0.jar", "two-1.0.jar"}


@pytest.mark.parametrize("way", [cut_short, busy])
def test_one_that_never_comes_is_said_and_leaves_nothing_half(
    way: Answer, repository: Repository, lock: Path, tmp_path: Path
) -> None:
    repository.answers["two"] = [way] * 100
    with pytest.raises(StackError, match=r"two-1\.0\.jar could not be downloaded: .*LETHE_MAVEN_REPOSITORY"):
        fetch(tmp_path / "cache", lock)
    assert "two-1.0.jar" not in kept(tmp_path / "cache")


def test_the_next_start_goes_on_where_it_stopped(repository: Repository, lock: Path, tmp_path: Path) -> None:
    repository.answers["two"] = [busy] * jars._ATTEMPTS
    with pytest.raises(StackError):
        fetch(tmp_path / "cache", lock)
    fetch(tmp_path / "cache", lock)
    assert repository.requests["one"] == 1


def test_another_file_than_the_lock_names_is_refused_and_removed(
    repository: Repository, lock: Path, tmp_path: Path
) -> None:
    repository.answers["one"] = [altered]
    with pytest.raises(StackError, match=r"one-1\.0\.jar as downloaded is not the file that jars\.lock names"):
        fetch(tmp_path / "cache", lock)
    assert "one-1.0.jar" not in kept(tmp_path / "cache")
    assert fetch(tmp_path / "cache", lock)[0].read_bytes() == content("one")


def test_a_cached_file_of_another_size_is_fetched_again(repository: Repository, lock: Path, tmp_path: Path) -> None:
    one, _ = fetch(tmp_path / "cache", lock)
    one.write_bytes(one.read_bytes()[:100])
    assert fetch(tmp_path / "cache", lock)[0].read_bytes() == content("one")
    assert repository.requests == {"one": 2, "two": 1}


def test_a_cached_file_altered_in_place_is_noticed_under_another_lock_file(
    repository: Repository, lock: Path, tmp_path: Path
) -> None:
    """Between two versions of the lock file only sizes are compared: hashing 90 MB takes longer than it is worth."""
    one, _ = fetch(tmp_path / "cache", lock)
    one.write_bytes(b"!" * len(content("one")))
    lock.write_text("# another version\n" + lock.read_text())
    assert fetch(tmp_path / "cache", lock)[0].read_bytes() == content("one")


def test_two_processes_fetch_once(repository: Repository, lock: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from deploy.local import jars\n"
        "jars.ensure(Path(sys.argv[1]), Path(sys.argv[2]), show_progress=False)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "cache"), str(lock)]
    both = [subprocess.Popen(command, cwd=ROOT) for _ in range(2)]
    assert [one.wait() for one in both] == [0, 0]
    assert repository.requests == {"one": 1, "two": 1}


def test_the_cache_is_the_user_s_or_else_beside_the_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert jars.default_cache(tmp_path / "data") == tmp_path / "caches" / "lethe" / "jars"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert jars.default_cache(tmp_path / "data") == tmp_path / "home" / ".cache" / "lethe" / "jars"
    (tmp_path / "file").write_text("no directory")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    assert jars.default_cache(tmp_path / "data") == tmp_path / "data" / "jars"
    monkeypatch.delenv("HOME")
    assert jars.default_cache(tmp_path / "data") == tmp_path / "data" / "jars"
