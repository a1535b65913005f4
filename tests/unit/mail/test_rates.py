"""Rates: a second's worth at once, then a turn each."""

from hypothesis import given
from hypothesis import strategies as st

from workers.mail.rates import Bucket, DomainRates


class Watch:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_full_bucket_lets_a_seconds_worth_go_at_once() -> None:
    watch = Watch()
    bucket = Bucket(10, watch)
    assert bucket.take(10) == 0
    assert bucket.take(5) == 0.5
    watch.now_s += 0.5
    assert bucket.take(0) == 0
    watch.now_s += 3600
    assert bucket.take(10) == 0
    assert bucket.take(1) > 0, "an idle hour is no reserve"


@given(st.lists(st.tuples(st.floats(0, 2), st.integers(1, 20)), max_size=60), st.floats(0.5, 50))
def test_no_second_holds_more_than_twice_its_rate(steps: list[tuple[float, int]], per_s: float) -> None:
    watch = Watch()
    bucket = Bucket(per_s, watch)
    let_go: list[float] = []
    for pause_s, count in steps:
        watch.now_s += pause_s
        let_go += [watch.now_s + bucket.take(count)] * count
    for begin_s in let_go:
        within = sum(begin_s <= at_s < begin_s + 1 for at_s in let_go)
        assert within <= 2 * max(1.0, per_s) + 20, "what was saved, what came in, and one portion"


def test_who_is_put_off_gets_a_turn_behind_the_one_before() -> None:
    rates = DomainRates(2, Watch())
    turns = [rates.take_or_turn("example.org") for _ in range(6)]
    assert turns == [0, 0, 0.5, 1.0, 1.5, 2.0]
    assert rates.take_or_turn("example.net") == 0, "each domain has its own"


def test_at_its_turn_each_finds_its_token() -> None:
    watch = Watch()
    rates = DomainRates(2, watch)
    turns = [rates.take_or_turn("example.org") for _ in range(8)]
    for turn_s in turns[2:]:
        watch.now_s = 100 + turn_s
        assert rates.take_or_turn("example.org") == 0


def test_the_memory_of_domains_is_bounded() -> None:
    rates = DomainRates(1, Watch(), remembered=10)
    for number in range(1000):
        rates.take_or_turn(f"d{number}.example")
    assert len(rates._buckets) <= 11
