"""Fitting street lines: same words, same order, within the limits, or not at all."""

from hypothesis import given
from hypothesis import strategies as st

from workers.domain import street_lines

WORDS = st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=20)
LINES = st.lists(st.lists(WORDS, min_size=1, max_size=8).map(" ".join), min_size=1, max_size=4)
LIMITS = st.lists(st.integers(min_value=5, max_value=60), min_size=1, max_size=4)


def test_lines_that_fit_stay_as_they_are() -> None:
    assert street_lines.fit(["Hauptstr. 5", "Hinterhaus"], (35, 35), len) == ["Hauptstr. 5", "Hinterhaus"]


def test_a_long_line_goes_on_in_a_free_line() -> None:
    fitted = street_lines.fit(["Königsbrücker Landstraße 199, Hinterhaus"], (35, 35), len)

    assert fitted == ["Königsbrücker Landstraße 199,", "Hinterhaus"]


def test_the_other_lines_keep_to_themselves_while_there_is_room() -> None:
    fitted = street_lines.fit(["aaaa bbbb", "cc"], (5, 5, 5), len)

    assert fitted == ["aaaa", "bbbb", "cc"]


def test_lines_are_joined_only_when_there_is_no_room() -> None:
    assert street_lines.fit(["Main Street", "Rear building", "c/o Sample"], (30, 30), len) == [
        "Main Street Rear building c/o",
        "Sample",
    ]


def test_two_numbers_are_never_joined() -> None:
    assert street_lines.fit(["Main Street 5", "3rd floor"], (40,), len) is None
    assert street_lines.fit(["Main Street 5", "rear"], (40,), len) == ["Main Street 5 rear"]


def test_a_word_longer_than_a_line_does_not_fit() -> None:
    assert street_lines.fit(["Donaudampfschifffahrtsgesellschaft 1"], (20, 20, 20), len) is None


@given(LINES, LIMITS)
def test_nothing_is_lost_cut_or_invented(lines: list[str], limits: list[int]) -> None:
    fitted = street_lines.fit(lines, limits, len)

    if fitted is not None:
        assert " ".join(fitted).split() == " ".join(lines).split()
        assert len(fitted) <= len(limits)
        assert all(0 < len(line) <= limit for line, limit in zip(fitted, limits, strict=False))


@given(LINES)
def test_whatever_fits_is_found(lines: list[str]) -> None:
    """Every line has room for all words of a line, so there is always a way."""
    assert street_lines.fit(lines, [170] * 4, len) is not None
