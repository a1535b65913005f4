"""What holds for every page: headers, limits, languages, plain error pages, and silence in the log."""

import re
import socket
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.support.endpoints import Endpoints
from tests.support.website import FORM, Website, website
from workers.web.forms import BODY_MAX_BYTES

_PAGES = (
    "/",
    "/en",
    "/fr/",
    "/subscribe",
    "/fr/subscribe",
    "/unsubscribe",
    "/u/x",
    "/confirm/x",
    "/preferences/x",
    "/contact",
    "/erasure",
    "/erasure/x",
    "/policy",
    "/nothing",
)
_NOISE = (
    b"\x16\x03\x01\x02\x00\x01\x00",
    b"GET / HTTP/1.1\r\nX-Secret-Person: \x00\r\n\r\n",
    b"GET " + b"a" * 20000,
)


@pytest.mark.parametrize("path", _PAGES)
def test_every_answer_is_guarded(site: Website, path: str) -> None:
    answer = site.get(path)
    policy = answer.headers["content-security-policy"]
    for rule in ("default-src 'none'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"):
        assert rule in policy
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["vary"] == "Accept-Language"
    assert {"set-cookie", "strict-transport-security"}.isdisjoint(answer.headers)
    assert "python" not in answer.headers["server"].lower()


def test_pages_behind_links_are_for_no_search_engine(site: Website) -> None:
    assert "x-robots-tag" not in site.get("/subscribe").headers
    for path in ("/u/x", "/confirm/x", "/preferences/x", "/erasure/x"):
        assert site.get(path).headers["x-robots-tag"] == "noindex, nofollow"


class _Page(HTMLParser):
    """What a page loads, labels and asks for."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag in names]


@pytest.mark.parametrize("path", _PAGES)
def test_pages_load_nothing_from_elsewhere_and_run_nothing(site: Website, path: str) -> None:
    page = _Page(site.get(path).text)
    assert not page.all("script", "img", "iframe", "object", "embed", "style")
    assert all((link["href"] or "").startswith("/") for link in page.all("link"))
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on") or name == "style"]


@pytest.mark.parametrize("path", _PAGES)
def test_pages_are_made_for_everyone(site: Website, path: str) -> None:
    page = _Page(site.get(path).text)
    assert page.all("html")[0]["lang"] == ("fr" if path.startswith("/fr") else "en")
    assert len(page.all("h1")) == len(page.all("main")) == 1
    labelled = {label.get("for") for label in page.all("label")}
    wrapped = {"checkbox", "hidden"}
    asked = [one for one in page.all("input", "textarea") if one.get("type") not in wrapped]
    assert all(one["id"] in labelled for one in asked)
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    described = " ".join(attributes.get("aria-describedby") or "" for _, attributes in page.tags).split()
    assert set(described) <= set(ids)


@pytest.mark.parametrize(
    ("path", "accepted", "language"),
    [
        ("/subscribe", "", "en"),
        ("/subscribe", "fr", "fr"),
        ("/subscribe", "fr-CA,fr;q=0.9,en;q=0.8", "fr"),
        ("/subscribe", "de, en;q=0.5, fr;q=0.4", "en"),
        ("/subscribe", "fr;q=0, *", "en"),
        ("/subscribe", "en;q=0.1, FR;q=0.2", "fr"),
        ("/subscribe", ";;;,,q=9," * 200, "en"),
        ("/en/subscribe", "fr", "en"),
        ("/fr/subscribe", "en", "fr"),
        ("/fr/nothing/here", "en", "fr"),
    ],
)
def test_the_language_is_that_of_the_path_or_of_the_browser(
    site: Website, path: str, accepted: str, language: str
) -> None:
    answer = site.get(path, Accept_Language=accepted)
    assert answer.headers["content-language"] == language
    assert f'<html lang="{language}">' in answer.text


def test_every_page_leads_to_itself_in_the_other_language(site: Website) -> None:
    assert 'href="/fr/subscribe" lang="fr"' in site.get("/subscribe").text
    assert 'href="/en/subscribe" lang="en"' in site.get("/fr/subscribe").text
    assert 'href="/fr/"' in site.get("/").text
    assert site.get("/fr/").status == site.get("/fr").status == 200


def test_a_style_sheet_is_kept_by_browsers_until_it_changes(site: Website) -> None:
    href = re.search(r'href="(/style\.css\?v=\w+)"', site.get("/").text)
    assert href is not None
    sheet = site.get(href[1])
    assert sheet.status == 200
    assert "immutable" in sheet.headers["cache-control"]
    assert sheet.headers["content-type"] == "text/css; charset=utf-8"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"email=" + b"a" * BODY_MAX_BYTES, FORM, 413),
        (b"&".join(b"f%d=1" % number for number in range(60)), FORM, 400),
        (b"email=%ff%fe", FORM, 400),
        (b"email=\xff", FORM, 400),
        (b"{}", "application/json", 415),
        (b"email=a", "text/plain", 415),
        (b"", "multipart/form-data", 400),
        (b"--x\r\nbroken", "multipart/form-data; boundary=x", 400),
    ],
)
def test_what_is_no_form_is_refused(site: Website, body: bytes, content_type: str, status: int) -> None:
    for path in ("/subscribe", "/unsubscribe"):
        answer = site.send("POST", path, body, {"Content-Type": content_type})
        assert answer.status == status
        assert f"error {status}" in answer.text


def test_a_small_body_cannot_become_a_large_one(site: Website) -> None:
    answer = site.send("POST", "/subscribe", b"x", {"Content-Type": FORM, "Content-Encoding": "gzip"})
    assert answer.status == 415


def test_a_wrong_method_is_told_the_right_one(site: Website) -> None:
    answer = site.send("DELETE", "/subscribe", None, {})
    assert answer.status == 405
    assert set(answer.headers["allow"].split(",")) >= {"GET", "POST"}


def test_what_is_not_http_is_answered_and_not_logged(site: Website) -> None:
    for noise in _NOISE:
        with socket.create_connection(("127.0.0.1", site.settings.public_port), timeout=10) as connection:
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            connection.recv(65536)
    assert site.get("/").status == 200
    assert "Secret-Person" not in site.worker.log
    assert "127.0.0.1" not in site.worker.log


def test_answers_are_counted_by_page_and_not_by_path(site: Website) -> None:
    site.get("/confirm/a-token-that-is-nobodys-business")
    metrics = site.worker.get("/metrics")[1]
    assert 'lethe_page_answers_total{page="confirm",status="404"}' in metrics
    assert "nobodys-business" not in metrics


@pytest.fixture
def lonely(stack: Endpoints, tmp_path: Path) -> Iterator[Website]:
    """A site of this test's own, behind HTTPS, to take the tables from."""
    with website(stack, tmp_path, public_url="https://shop.example", trusted_proxies=0) as running:
        yield running


def test_when_the_database_fails_a_page_says_so_and_the_log_says_nothing_personal(lonely: Website) -> None:
    assert lonely.get("/").headers["strict-transport-security"] == "max-age=63072000"
    lonely.subscribe("quixomatl@example.com")
    lonely.rows("alter table floods rename to floods_elsewhere")
    lonely.rows("alter table tokens rename to tokens_elsewhere")
    answer = lonely.sign_up("zwiebelfurt@example.com")
    assert answer.status == 503
    assert answer.headers["retry-after"] == "60"
    assert "does no harm" in answer.text
    assert lonely.get("/confirm/some-secret-token").status == 503
    assert lonely.get("/subscribe").status == 200
    lonely.rows("alter table floods_elsewhere rename to floods")
    lonely.rows("alter table tokens_elsewhere rename to tokens")
    assert lonely.sign_up("zwiebelfurt@example.com").status == 200
    assert "page_without_database" in lonely.worker.log
    for planted in ("quixomatl", "zwiebelfurt", "some-secret-token", "127.0.0.1"):
        assert planted not in lonely.worker.log
        assert planted not in lonely.worker.get("/metrics")[1]


def test_the_worker_ends_in_order(stack: Endpoints, tmp_path: Path) -> None:
    with website(stack, tmp_path) as running:
        assert running.get("/").status == 200
        assert running.worker.stop() == 0
