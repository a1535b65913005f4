"""Colours: what must be read can be read, in light and in dark (WCAG 2.2, 1.4.3 and 1.4.11)."""

import re
from collections.abc import Mapping

import pytest

from workers.web import rendering

_SHEET = rendering.style().decode()
_COLOUR = re.compile(r"--([\w-]+): (#[0-9a-f]{6});")
_TEXT = [
    ("ink", "page"), ("ink", "sheet"), ("quiet", "page"), ("quiet", "sheet"), ("link", "page"), ("link", "sheet"),
    ("on-accent", "accent"), ("error", "sheet"), ("ink", "error-sheet"), ("ink", "added"), ("ink", "removed"),
]  # fmt: skip
_EDGES = [("edge", "page"), ("edge", "sheet"), ("accent", "sheet"), ("error", "page"), ("link", "sheet")]


def _colours(dark: bool) -> Mapping[str, str]:
    light, _, rest = _SHEET.partition("@media (prefers-color-scheme: dark)")
    found = dict(_COLOUR.findall(light))
    return found | dict(_COLOUR.findall(rest)) if dark else found


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(one: str, other: str) -> float:
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_text_has_contrast(dark: bool) -> None:
    colours = _colours(dark)
    low = {pair: found for pair in _TEXT if (found := _contrast(colours[pair[0]], colours[pair[1]])) < 4.5}
    assert not low


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_what_can_be_used_has_an_edge(dark: bool) -> None:
    colours = _colours(dark)
    low = {pair: found for pair in _EDGES if (found := _contrast(colours[pair[0]], colours[pair[1]])) < 3}
    assert not low


def test_both_schemes_name_the_same_colours() -> None:
    light, _, dark = _SHEET.partition("@media (prefers-color-scheme: dark)")
    assert {name for name, _ in _COLOUR.findall(light)} == {name for name, _ in _COLOUR.findall(dark)}


def test_colours_are_named_once() -> None:
    outside = re.sub(r":root \{[^}]*\}", "", _SHEET)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b", outside) == []


def test_the_measure_knows_black_and_white() -> None:
    assert round(_contrast("#000000", "#ffffff"), 2) == 21
    assert round(_contrast("#777777", "#ffffff"), 2) == 4.48
