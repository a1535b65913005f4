"""Logs hold class names and places in the code, never the text of an exception: it may echo a person's data."""

import asyncio
import gc
import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from tests.support.logs import configured
from workers import log

SECRET = "Erika Beispiel, Musterweg 12"


class PersonalError(Exception):
    """An error whose text quotes what a person wrote, as a database's DETAIL line does."""


@pytest.fixture(params=["json", "console"])
def output(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged, in both forms."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with configured(request.param):
        yield sys.stderr


@pytest.fixture
def json_output(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    """What is logged, one JSON object a line."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with configured("json"):
        yield sys.stderr


def lines(output: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.getvalue().splitlines()]


def fail() -> None:
    raise PersonalError(SECRET)


def test_our_own_log_of_an_exception(output: io.StringIO) -> None:
    try:
        fail()
    except PersonalError as error:
        log.logger("lethe.test").error("it_failed", exc_info=error)
        log.logger("lethe.test").exception("it_failed_again")
    text = output.getvalue()
    assert "Erika" not in text
    assert text.count("PersonalError") == 2
    assert text.count("test_log.py") >= 2


def test_a_library_s_log_of_an_exception(output: io.StringIO) -> None:
    try:
        fail()
    except PersonalError:
        logging.getLogger("asyncpg").exception("lost the connection to %s", "db")
    text = output.getvalue()
    assert "Erika" not in text
    assert "lost the connection to db" in text
    assert "PersonalError" in text


def test_the_cause_of_an_exception(output: io.StringIO) -> None:
    try:
        try:
            fail()
        except PersonalError as cause:
            raise RuntimeError("batch failed") from cause
    except RuntimeError as error:
        log.logger("lethe.test").error("it_failed", exc_info=error)
    assert "Erika" not in output.getvalue()


def test_a_task_that_nobody_awaited(output: io.StringIO) -> None:
    async def run() -> None:
        async def lost() -> None:
            fail()

        task = asyncio.create_task(lost())
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(run())
    text = output.getvalue()
    assert "never retrieved" in text
    assert "Erika" not in text


def test_a_library_that_puts_the_exception_into_its_message(output: io.StringIO) -> None:
    for pattern in ("crashed: %r", "crashed: %s"):
        try:
            fail()
        except PersonalError as error:
            logging.getLogger("mode").exception(pattern, error)
    text = output.getvalue()
    assert "Erika" not in text
    assert text.count("crashed: ") == 2


def test_a_line_is_one_json_object_with_facts(json_output: io.StringIO) -> None:
    log.logger("lethe.test").warning("lane_reset", lane="lethe.shipping/orders/0")
    (line,) = lines(json_output)
    assert line.pop("timestamp")
    assert line == {
        "event": "lane_reset", "lane": "lethe.shipping/orders/0", "level": "warning", "logger": "lethe.test",
    }  # fmt: skip


def test_the_frames_lead_to_the_place_that_raised(json_output: io.StringIO) -> None:
    try:
        fail()
    except PersonalError as error:
        log.logger("lethe.test").error("it_failed", exc_info=error)
    (line,) = lines(json_output)
    frames = line["frames"]
    assert isinstance(frames, list)
    assert frames[-1].endswith(" fail")
    assert line["error"] == "PersonalError"


def test_noisy_libraries_are_heard_from_warnings_on(json_output: io.StringIO) -> None:
    for name in ("aiokafka.consumer", "faust.agents", "mode", "lethe"):
        logging.getLogger(name).info("chatter of %s", name)
        logging.getLogger(name).warning("warning of %s", name)
    events = [line["event"] for line in lines(json_output)]
    assert [event for event in events if str(event).startswith("chatter")] == ["chatter of lethe"]
    assert len(events) == 5


def test_what_a_mail_server_is_told_is_not_repeated(output: io.StringIO) -> None:
    for name in ("mail.log", "mail.error", "mail.warn", "mail.debug"):
        logging.getLogger(name).error("RCPT TO:<%s>", SECRET)
    assert output.getvalue() == ""
