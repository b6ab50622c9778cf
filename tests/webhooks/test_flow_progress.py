"""Order of two callbacks of a flow, and deduplication."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import ReceiveResult, parse_callback
from routee_failover.webhooks.dedup import BoundedDict, Deduplicator, payload_digest
from routee_failover.webhooks.flow_progress import FlowProgress, is_stale, progress_of

from .payloads import Json, flow, inbound, otp, viber_otp


def progress(shape: Json) -> FlowProgress:
    """Return the progress of a callback's flow."""
    result = progress_of(parse_callback(shape))
    assert result is not None
    return result


LIFECYCLES: dict[str, list[Json]] = {
    "a flow": [
        flow("Queued", 0),
        flow("InProgress", 1, "QUEUED"),
        flow("InProgress", 2, "DELIVERED"),
        flow("InProgress", 3, "EXPIRED"),
        flow("InProgress", 4, "EXPIRED", "Queued"),
        flow("Failed", 5, "EXPIRED", "Undelivered"),
    ],
    "a flow without times": [
        flow("Queued", None),
        flow("InProgress", None, "QUEUED"),
        flow("InProgress", None, "EXPIRED"),
        flow("InProgress", None, "EXPIRED", "Queued"),
        flow("InProgress", None, "EXPIRED", "Sent"),
        flow("Succeeded", None, "EXPIRED", "Delivered"),
    ],
    "a flow within one second": [
        flow("InProgress", 1, "QUEUED"),
        flow("InProgress", 1, "DELIVERED"),
        flow("InProgress", 1, "SEEN"),
        flow("Succeeded", 1, "SEEN"),
    ],
    "a one-time password": [
        otp("InProgress"),
        otp("InProgress", "QUEUED"),
        otp("InProgress", "EXPIRED"),
        otp("InProgress", "EXPIRED", "queued"),
        otp("Succeeded", "EXPIRED", "queued"),
        otp("Succeeded", "EXPIRED", "delivered"),
    ],
    "a Viber OTP": [viber_otp("QUEUED", 1), viber_otp("DELIVERED", 2), viber_otp("SEEN", 3)],
    "a Viber OTP without times": [viber_otp("QUEUED", None), viber_otp("DELIVERED", None), viber_otp("SEEN", None)],
    "a Viber OTP that expires on delivery": [
        viber_otp("QUEUED", None, expireOnDelivery=True),
        viber_otp("DELIVERED", None, expireOnDelivery=True),
        viber_otp("SEEN", None, expireOnDelivery=True),
    ],
    "a call": [flow("InProgress", None, "Initiated"), flow("InProgress", None, "Ringing"), flow("Failed", 1, "Busy")],
}


@pytest.mark.parametrize("lifecycle", LIFECYCLES.values(), ids=LIFECYCLES)
def test_earlier_callback_of_a_lifecycle_is_the_stale_one(lifecycle: list[Json]) -> None:
    """Of any two callbacks in the lifecycle of a flow, the earlier one is stale, and only that one."""
    for earlier, later in combinations(map(progress, lifecycle), 2):
        assert is_stale(earlier, later)
        assert not is_stale(later, earlier)
    for one in map(progress, lifecycle):
        assert not is_stale(one, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (otp("InProgress", "DELIVERED"), otp("InProgress", "EXPIRED")),
        (otp("InProgress", "EXPIRED", "queued"), otp("InProgress", "queued", "EXPIRED")),
        (otp("Paused", "QUEUED"), otp("InProgress", "EXPIRED")),
        (otp("InProgress", "TELEPORTED"), otp("InProgress", "EXPIRED")),
        (otp("InProgress", "QUEUED", "x"), otp("InProgress", "SEEN")),
        ({"flowId": "f", "steps": [{}]}, otp("InProgress", "EXPIRED")),
    ],
)
def test_incomparable_callbacks_are_not_stale(one: Json, other: Json) -> None:
    """Two different final statuses of a message, and undocumented statuses, prove no order."""
    assert not is_stale(progress(one), progress(other))
    assert not is_stale(progress(other), progress(one))


@pytest.mark.parametrize("late", [flow("InProgress", 59, "SEEN"), flow("Queued", None), flow("Paused", 59)])
def test_anything_else_after_a_final_status_is_stale(late: Json) -> None:
    """A status that is not final is stale after a final one, whatever its time; so is a different final status."""
    final = progress(flow("Succeeded", 5, "DELIVERED"))
    assert is_stale(progress(late), final)
    assert not is_stale(final, progress(late))
    assert is_stale(progress(flow("Failed", 9, "FAILED")), final)


def test_same_final_status_with_a_later_time_is_new() -> None:
    """The same final status with a later time is new: a price, or a message that was seen."""
    assert not is_stale(progress(flow("Succeeded", 9, "SEEN")), progress(flow("Succeeded", 5, "DELIVERED")))


@given(st.permutations(range(6)), st.sampled_from([LIFECYCLES["a flow"], LIFECYCLES["a one-time password"]]))
def test_callbacks_in_any_order_are_accepted_in_progress_order(order: list[int], lifecycle: list[Json]) -> None:
    """However the callbacks of a flow are shuffled, what is accepted advances, and the final status is among it."""
    dedup, accepted = Deduplicator(10), []
    for index in order:
        record = parse_callback(lifecycle[index])
        state, digest = progress_of(record), payload_digest(lifecycle[index])
        if dedup.classify(("flow", "t-1"), state, digest) is ReceiveResult.NEW:
            dedup.record(("flow", "t-1"), state, digest)
            accepted.append(index)
    assert accepted == sorted(accepted)
    assert max(order) in accepted


def test_same_state_in_another_notation_is_a_duplicate() -> None:
    """A state that was received is a duplicate, though its JSON differs; one with another status is not."""
    dedup, key = Deduplicator(10), ("flow", "t-1")
    first = flow("Succeeded", 5, "DELIVERED", originatingService="Failover")
    dedup.record(key, progress(first), payload_digest(first))
    other = flow("Succeeded", 5, "DELIVERED", originatingService="failover")
    assert dedup.classify(key, progress(other), payload_digest(other)) is ReceiveResult.DUPLICATE
    expired = flow("Succeeded", 5, "EXPIRED")
    assert dedup.classify(key, progress(expired), payload_digest(expired)) is ReceiveResult.NEW


def test_equal_payloads_have_equal_digests() -> None:
    """Equal payloads have equal digests, however they are ordered; even one that orjson cannot write has a digest."""
    assert payload_digest({"a": 1, "b": [1, {"c": 2, "d": 3}]}) == payload_digest({"b": [1, {"d": 3, "c": 2}], "a": 1})
    assert payload_digest({"a": 1}) != payload_digest({"a": 2})
    assert payload_digest({"a": "\ud800", "b": 1}) == payload_digest({"b": 1, "a": "\ud800"})


def test_inbound_messages_have_no_progress() -> None:
    """Each inbound message is distinct: only the same one again is a duplicate."""
    dedup, key = Deduplicator(10), ("inbound", "+30")
    assert progress_of(parse_callback(inbound())) is None
    dedup.record(key, None, payload_digest(inbound("one")))
    assert dedup.classify(key, None, payload_digest(inbound("two"))) is ReceiveResult.NEW
    assert dedup.classify(key, None, payload_digest(inbound("one"))) is ReceiveResult.DUPLICATE


def test_bounded_dict_evicts_the_key_set_longest_ago() -> None:
    """The key that was set longest ago is evicted first; setting it again counts."""
    latest: BoundedDict[int, str] = BoundedDict(2)
    for number in (1, 2, 1, 3):
        latest.set(number, str(number))
    assert (latest.get(1), latest.get(2), latest.get(3), len(latest)) == ("1", None, "3", 2)
