"""The bucket as a value: whatever happens in whatever order, no window holds too many requests."""

from hypothesis import given
from hypothesis import strategies as st

from connector_assets.runtime.shared.bucket import Bucket

EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0, 5)),
        st.tuples(st.just("take"), st.just(0.0)),
        st.tuples(st.just("cancel"), st.floats(0, 1)),
        st.tuples(st.just("pause"), st.floats(0, 20)),
        st.tuples(st.just("set back"), st.floats(0, 100_000)),
    ),
    max_size=60,
)


def played(events, rate, burst):
    """The instants at which requests went, on the bucket's clock, with the bucket that is left."""
    bucket, now, went = Bucket(), 1_000_000.0, []
    for event, amount in events:
        bucket = bucket.at(now)
        if event == "pass":
            now += amount
        elif event == "take":
            bucket, instant = bucket.reserve(rate, burst)
            went.append(instant)
        elif event == "cancel" and went:
            # Only who still waits can be cancelled.
            instant = went[int(amount * (len(went) - 1))]
            if bucket.wait(instant) > 0:
                went.remove(instant)
                bucket = bucket.give_back(instant)
        elif event == "pause":
            bucket = bucket.pause(amount)
        elif event == "set back":
            now -= amount
    return sorted(went), bucket


@given(EVENTS, st.floats(0.1, 100), st.integers(1, 5))
def test_no_window_holds_more_than_rate_times_time_plus_burst(events, rate, burst):
    went, _ = played(events, rate, burst)
    for first, start in enumerate(went):
        for last in range(first, len(went)):
            assert last - first + 1 <= (went[last] - start) * rate + burst + 1e-3


def test_a_longer_pause_takes_the_place_of_a_shorter_one():
    bucket, _ = Bucket().at(1000.0).reserve(1.0, 1)
    bucket, promised = bucket.reserve(1.0, 1)
    assert bucket.pause(4).pause(10).wait(promised) == bucket.wait(promised) + 10
    assert bucket.pause(10).pause(4).wait(promised) == bucket.wait(promised) + 10


@given(EVENTS, st.floats(0.1, 100), st.integers(1, 5))
def test_a_bucket_survives_being_written_and_read(events, rate, burst):
    _, bucket = played(events, rate, burst)
    assert Bucket.loads(bucket.dumps()) == bucket


@given(st.binary(max_size=60))
def test_any_bytes_are_a_bucket(text):
    assert isinstance(Bucket.loads(text), Bucket)


def test_a_turn_given_back_is_the_next_ones():
    bucket = Bucket().at(1_000.0)
    bucket, _ = bucket.reserve(1.0, 1)
    bucket, second = bucket.reserve(1.0, 1)
    bucket, third = bucket.reserve(1.0, 1)
    bucket = bucket.give_back(second)
    bucket, again = bucket.reserve(1.0, 1)
    assert again == second
    assert bucket.reserve(1.0, 1)[1] == third + 1
