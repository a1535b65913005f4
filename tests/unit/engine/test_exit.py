"""The hard way out: which exit code, and what is said about the reason."""

import asyncio

import pytest

from tests.support.logs import configured
from workers import errors
from workers.engine.exit import EXIT_FAILED, EXIT_STOPPED, Exit


@pytest.fixture
def codes() -> list[int]:
    return []


@pytest.fixture
def way_out(codes: list[int]) -> Exit:
    return Exit(codes.append)


STOPS = [errors.Stop, errors.ParkingLimit, errors.PositionBelowLog, errors.PositionUnknown, errors.KeyMissing]
FAULTS = [ValueError, errors.PartitionLost, errors.UsageError, AssertionError, KeyboardInterrupt, SystemExit]


def test_the_codes_are_those_of_sysexits() -> None:
    assert (EXIT_STOPPED, EXIT_FAILED) == (78, 70)


@pytest.mark.parametrize("kind", STOPS)
def test_a_stop_waits_for_a_person(kind: type[errors.Stop], way_out: Exit, codes: list[int]) -> None:
    way_out.now(kind("do this"))
    assert codes == [78]


@pytest.mark.parametrize("kind", FAULTS)
def test_anything_else_may_be_started_again(kind: type[BaseException], way_out: Exit, codes: list[int]) -> None:
    way_out.now(kind("text"))
    assert codes == [70]


async def test_a_guarded_task_that_ends_well_is_left_alone(way_out: Exit, codes: list[int]) -> None:
    await way_out.guard(asyncio.sleep(0))
    assert codes == []


async def test_a_guarded_task_that_fails_ends_the_process(way_out: Exit, codes: list[int]) -> None:
    async def fail() -> None:
        raise errors.KeyMissing("epoch 1")

    await way_out.guard(fail())
    assert codes == [78]


async def test_a_cancellation_is_no_failure(way_out: Exit, codes: list[int]) -> None:
    task = asyncio.create_task(way_out.guard(asyncio.sleep(60)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert codes == []


def test_our_own_text_is_shown(way_out: Exit, capsys: pytest.CaptureFixture[str]) -> None:
    with configured():
        way_out.now(errors.PositionUnknown("the topic was created anew"))
    said = capsys.readouterr().err
    assert "the topic was created anew" in said
    assert "PositionUnknown" in said


@pytest.mark.parametrize("kind", [ValueError, errors.PartitionLost])
def test_the_text_of_any_other_error_is_not(
    kind: type[Exception], way_out: Exit, capsys: pytest.CaptureFixture[str]
) -> None:
    with configured():
        try:
            raise kind("Erika Beispiel, Musterweg 12")
        except kind as error:
            way_out.now(error)
    said = capsys.readouterr().err
    assert "Erika" not in said
    assert kind.__name__ in said
    assert "test_exit.py" in said, "the place in the code is"
