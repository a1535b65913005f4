"""A token is found in whatever form it was written, at its place, and nothing else is taken for it."""

import base64
import bz2
import gzip
import html
import json
import lzma
import quopri
import unicodedata
import zipfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from workers.errors import UsageError
from workers.scan.scanner import Finding, scan

TOKEN = "Zoë O'Quixomatl"
OTHER = "Brünhilde Zwiebelfurt"
_UTF8 = TOKEN.encode()
_NFD = unicodedata.normalize("NFD", TOKEN)
_NOISE = b"\x00\xffnoise: "

WRITTEN: Mapping[str, tuple[str, bytes]] = {
    "as it is": ("UTF-8", _UTF8),
    "upper case": ("UTF-8, other case", TOKEN.upper().encode()),
    "mixed case": ("UTF-8, other case", "zOë o'QUIXomatl".encode()),
    "decomposed": ("UTF-8, NFD", _NFD.encode()),
    "decomposed, lower case": ("UTF-8, NFD, other case", _NFD.lower().encode()),
    "little endian": ("UTF-16LE", TOKEN.encode("utf-16-le")),
    "big endian": ("UTF-16BE", TOKEN.encode("utf-16-be")),
    "latin": ("Latin-1", TOKEN.encode("latin-1")),
    "in JSON": ("JSON-escaped", json.dumps({"name": TOKEN}).encode()),
    "in JSON, capital hex": ("JSON-escaped", json.dumps({"name": TOKEN}).replace("u00eb", "u00EB").encode()),
    "in JSON in JSON": ("JSON-escaped twice", json.dumps(json.dumps({"name": TOKEN})).encode()),
    "in HTML": ("HTML-escaped", html.escape(TOKEN).encode()),
    "in HTML, numbered": ("HTML-escaped", html.escape(TOKEN).encode("ascii", "xmlcharrefreplace")),
    "in a URL": ("percent-encoded", quote(TOKEN).encode()),
    "in a form": ("percent-encoded", quote_plus(TOKEN).encode()),
    "in a mail's body": ("quoted-printable", quopri.encodestring(_UTF8)),
    "in a mail's header": ("quoted-printable", b"=?utf-8?q?" + quopri.encodestring(_UTF8, header=True) + b"?="),
    "in a folded header": ("folded at a space", TOKEN.replace(" ", "\r\n ").encode()),
    "in a log of bytes": ("byte escapes", repr(b'"' + _UTF8).encode()),
    "in a bytea escape": ("byte escapes", _UTF8.replace("ë".encode(), rb"\303\253")),
    "in SQL": ("quotes doubled", TOKEN.replace("'", "''").encode()),
    "in hex": ("hex of UTF-8", _UTF8.hex().encode()),
    "in capital hex": ("hex of UTF-8", _UTF8.hex().upper().encode()),
    "UTF-16 in hex": ("hex of UTF-16LE", TOKEN.encode("utf-16-le").hex().encode()),
    **{
        f"in base64, {before} bytes before": ("base64 of UTF-8", base64.b64encode(b"x" * before + _UTF8 + b"yy"))
        for before in (0, 1, 2)
    },
    **{
        f"in base64url, {before} bytes before": ("base64url of UTF-8", base64.urlsafe_b64encode(b"?" * before + _UTF8))
        for before in (0, 1, 2)
    },
    "upper case in base64": ("base64 of UTF-8, other case", base64.b64encode(TOKEN.upper().encode())),
    "JSON in base64": ("base64 of JSON-escaped", base64.b64encode(json.dumps({"name": TOKEN}).encode())),
    "UTF-16 in base64": ("base64 of UTF-16LE", base64.b64encode(TOKEN.encode("utf-16-le"))),
    "in folded base64": ("base64 of UTF-8", base64.encodebytes(b"x" * 48 + _UTF8)),
}


def found(folder: Path, *tokens: str) -> list[tuple[str, int, int, str]]:
    report = scan(tokens, [folder])
    assert report.unread == ()
    return sorted((Path(one.path).name, one.offset, one.token, one.form) for one in report.findings)


@pytest.mark.parametrize(("form", "content"), WRITTEN.values(), ids=WRITTEN.keys())
def test_a_token_is_found_in_every_form(tmp_path: Path, form: str, content: bytes) -> None:
    (tmp_path / "file").write_bytes(_NOISE + content + b" and so on")
    findings = found(tmp_path, OTHER, TOKEN)
    assert [(name, token) for name, _, token, _ in findings] == [("file", 2)]
    assert findings[0][3].replace("base64url", "base64") == form.replace("base64url", "base64")
    assert found(tmp_path, OTHER) == []


def test_base64url_is_told_from_base64_where_they_differ(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(base64.urlsafe_b64encode("ÿÿÿ>>>???".encode()))
    assert [form for *_, form in found(tmp_path, "ÿÿÿ>>>???")] == ["base64url of UTF-8"]


def test_a_token_over_a_soft_line_break_is_found_at_its_place(tmp_path: Path) -> None:
    (tmp_path / "mail.eml").write_bytes(b"a=\r\nb=\r\nto Quixo=\r\nmatl.Ada@example.com")
    findings = found(tmp_path, "quixomatl.ada@example.com")
    assert findings == [("mail.eml", 11, 1, "quoted-printable, over a line break")]


def test_places_are_counted_and_the_first_is_shown(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345" + 3 * (_UTF8 + b"; "))
    [finding] = scan([TOKEN], [tmp_path]).findings
    assert (finding.offset, finding.count, finding.what) == (5, 3, "file")


@pytest.mark.parametrize("shift", [-20, -5, -1, 0, 1])
def test_a_token_over_two_pieces_of_a_large_file_is_found_once(tmp_path: Path, shift: int) -> None:
    place = (4 << 20) + shift
    (tmp_path / "file").write_bytes(bytes(place) + _UTF8 + bytes(4 << 20))
    [finding] = scan([TOKEN], [tmp_path]).findings
    assert (finding.offset, finding.count) == (place, 1)


@pytest.mark.parametrize("packed", [gzip.compress, bz2.compress, lzma.compress], ids=["gzip", "bzip2", "xz"])
def test_a_compressed_file_is_unpacked_whatever_it_is_called(tmp_path: Path, packed: object) -> None:
    (tmp_path / "export").write_bytes(packed(bytes(5 << 20) + _UTF8))  # type: ignore[operator]  # one of the packers above
    [finding] = scan([TOKEN], [tmp_path]).findings
    assert finding.what.startswith("file, inside")


def test_an_archive_is_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "export.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("empty.csv", "")
        archive.writestr("people.csv", f"name\n{TOKEN}\n")
    [finding] = scan([TOKEN], [tmp_path]).findings
    assert finding.what == "file, inside zip"


def test_what_does_not_unpack_is_said_and_is_not_clean(tmp_path: Path) -> None:
    (tmp_path / "log.gz").write_bytes(gzip.compress(_UTF8 * 100)[:-20])
    report = scan([TOKEN], [tmp_path])
    assert [Path(one.path).name for one in report.unread] == ["log.gz"]
    assert not report.is_clean


def test_a_file_that_is_named_after_a_person_is_found_and_its_name_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "quixomatl.ada@example.com.eml").write_bytes(b"")
    [finding] = scan(["Quixomatl.Ada@example.com"], [tmp_path]).findings
    assert finding.what == "mail: its name"
    assert Path(finding.path).name == "<token 1>.eml"


def test_a_finding_never_repeats_what_was_looked_for(tmp_path: Path) -> None:
    folder = tmp_path / "quixomatl"
    folder.mkdir()
    (folder / "Quixomatl.log").write_bytes(b"quixomatl")
    assert "quixomatl" not in repr(scan(["quixomatl"], [folder]).findings).lower()


def test_two_tokens_that_differ_in_case_only_are_both_found(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"ada.quixomatl")
    assert sorted(one.token for one in scan(["ada.quixomatl", "ADA.QUIXOMATL"], [tmp_path]).findings) == [1, 2]


def test_links_are_not_followed_and_pipes_not_waited_for(tmp_path: Path) -> None:
    import os

    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.write_bytes(_UTF8)
    (inside / "link").symlink_to(outside)
    os.mkfifo(inside / "pipe")
    assert scan([TOKEN], [inside]).findings == ()


@pytest.mark.parametrize("tokens", [[], ["Ada"], ["   a   "], [TOKEN, "x"]])
def test_nothing_or_too_little_to_look_for_is_refused(tmp_path: Path, tokens: list[str]) -> None:
    with pytest.raises(UsageError, match="token") as refused:
        scan(tokens, [tmp_path])
    assert TOKEN not in str(refused.value)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder"):
        scan([TOKEN], [tmp_path / "missing"])


def test_files_that_change_vanish_and_move_meanwhile_do_not_end_the_scan(tmp_path: Path) -> None:
    import threading

    (tmp_path / "zz-kept").write_bytes(_UTF8)
    ended = threading.Event()

    def churn() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            file = tmp_path / f"changing-{number % 7}"
            file.write_bytes(bytes(5 << 20))
            with file.open("r+b") as opened:
                opened.truncate(100)
            file.rename(tmp_path / f"moved-{number % 5}")
            (tmp_path / f"moved-{(number + 1) % 5}").unlink(missing_ok=True)

    busy = threading.Thread(target=churn)
    busy.start()
    try:
        reports = [scan([TOKEN], [tmp_path]) for _ in range(10)]
    finally:
        ended.set()
        busy.join()
    assert {tuple(Path(one.path).name for one in report.findings) for report in reports} == {("zz-kept",)}
    assert all(report.unread == () for report in reports)


def test_findings_have_the_fields_that_scripts_read() -> None:
    assert Finding._fields == ("path", "offset", "what", "token", "form", "count")


def test_a_file_may_be_named_instead_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "worker.log").write_text("nothing of anybody")
    report = scan(["Hildegard"], [tmp_path / "worker.log"])
    assert (report.files, report.is_clean) == (1, True)
