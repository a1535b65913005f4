"""What changed in a policy: paragraphs by their section, words within them."""

from hypothesis import given
from hypothesis import strategies as st

from workers.domain.policy_text import Change, Piece, changes

_PARAGRAPHS = st.lists(
    st.lists(st.sampled_from(["we", "keep", "your", "address", "never", "sell"]), min_size=1, max_size=8).map(" ".join),
    max_size=8,
).map("\n\n".join)


def test_one_word_changed() -> None:
    assert changes("# Keeping\n\nFor five years.", "# Keeping\n\nFor three years.") == [
        Change(
            "Keeping", "changed",
            (Piece("same", "For "), Piece("removed", "five"), Piece("added", "three"), Piece("same", " years.")),
        )
    ]  # fmt: skip


def test_a_new_section() -> None:
    found = changes("# A\n\nOne.", "# A\n\nOne.\n\n## B\n\nTwo words.")
    assert [(one.heading, one.kind, one.pieces[0].text) for one in found] == [
        ("B", "added", "B"),
        ("B", "added", "Two words."),
    ]


def test_a_paragraph_left_out_between_others_that_changed() -> None:
    before = "First one stays here.\n\nGone.\n\nThe last one is old."
    after = "First one stays there.\n\nThe last one is new."
    assert [one.kind for one in changes(before, after)] == ["changed", "removed", "changed"]


def test_wrapping_and_marks_are_no_change() -> None:
    assert changes("We **never**\nsell [data](/x).\n\n- one\n- two", "We never sell data.\n\n* one\n\n* two") == []


@given(before=_PARAGRAPHS, after=_PARAGRAPHS)
def test_nothing_is_left_out_and_nothing_is_made_up(before: str, after: str) -> None:
    found = changes(before, after)
    assert bool(found) == (before != after)
    kept = [_without(text, found, kind) for text, kind in ((before, "removed"), (after, "added"))]
    assert sorted(kept[0]) == sorted(kept[1])


def _without(text: str, found: list[Change], kind: str) -> list[str]:
    """The paragraphs that no change tells of. Raises ValueError for a change to a paragraph that is not there."""
    paragraphs = text.split("\n\n") if text else []
    for one in found:
        if one.kind in (kind, "changed"):
            paragraphs.remove("".join(piece.text for piece in one.pieces if piece.kind in ("same", kind)))
    return paragraphs


@given(text=_PARAGRAPHS)
def test_the_same_text_has_no_change(text: str) -> None:
    assert changes(text, text) == []
