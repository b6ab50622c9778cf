"""Which of two callbacks about a flow is the older one."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import ReceiveResult, parse_callback
from routee_failover.webhooks.dedup import BoundedDict, Deduplicator, payload_digest
from routee_failover.webhooks.progress import FlowProgress, is_stale, progress_of

from .payloads import Json, flow, inbound, otp


def standing(shape: Json) -> FlowProgress:
    """How far a callback's flow has come."""
    found = progress_of(parse_callback(shape))
    assert found is not None
    return found


LIVES: dict[str, list[Json]] = {
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
    "a call": [flow("InProgress", None, "Initiated"), flow("InProgress", None, "Ringing"), flow("Failed", 1, "Busy")],
}


@pytest.mark.parametrize("life", LIVES.values(), ids=LIVES)
def test_lives(life: list[Json]) -> None:
    """Of any two callbacks in the life of a flow, the earlier one is the older one, and only that."""
    for earlier, later in combinations(map(standing, life), 2):
        assert is_stale(earlier, later)
        assert not is_stale(later, earlier)
    for one in map(standing, life):
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
def test_what_cannot_be_compared(one: Json, other: Json) -> None:
    """An end of a message beside another end, and words that nobody documented, prove no order."""
    assert not is_stale(standing(one), standing(other))
    assert not is_stale(standing(other), standing(one))


@pytest.mark.parametrize("late", [flow("InProgress", 59, "SEEN"), flow("Queued", None), flow("Paused", 59)])
def test_nothing_comes_after_an_end(late: Json) -> None:
    """What is not final is older than an end, whatever its time says; even the other end is."""
    end = standing(flow("Succeeded", 5, "DELIVERED"))
    assert is_stale(standing(late), end)
    assert not is_stale(end, standing(late))
    assert is_stale(standing(flow("Failed", 9, "FAILED")), end)


def test_an_end_may_be_told_of_again() -> None:
    """The same end with a later time is news: a price, or a message that was seen."""
    assert not is_stale(standing(flow("Succeeded", 9, "SEEN")), standing(flow("Succeeded", 5, "DELIVERED")))


@given(st.permutations(range(6)), st.sampled_from([LIVES["a flow"], LIVES["a one-time password"]]))
def test_any_order(order: list[int], life: list[Json]) -> None:
    """However the callbacks of a flow are mixed up, what is taken goes forward, and the end is among it."""
    memory, taken = Deduplicator(10), []
    for index in order:
        record = parse_callback(life[index])
        found, digest = progress_of(record), payload_digest(life[index])
        if memory.classify(("flow", "t-1"), found, digest) is ReceiveResult.NEW:
            memory.record(("flow", "t-1"), found, digest)
            taken.append(index)
    assert taken == sorted(taken)
    assert max(order) in taken


def test_the_same_state_in_other_words() -> None:
    """A state that was here is a repeat, though its JSON differs; one with another status is not."""
    memory, identity = Deduplicator(10), ("flow", "t-1")
    first = flow("Succeeded", 5, "DELIVERED", originatingService="Failover")
    memory.record(identity, standing(first), payload_digest(first))
    other = flow("Succeeded", 5, "DELIVERED", originatingService="failover")
    assert memory.classify(identity, standing(other), payload_digest(other)) is ReceiveResult.DUPLICATE
    expired = flow("Succeeded", 5, "EXPIRED")
    assert memory.classify(identity, standing(expired), payload_digest(expired)) is ReceiveResult.NEW


def test_digest() -> None:
    """What says the same is the same, however it is ordered; even what orjson cannot write has a digest."""
    assert payload_digest({"a": 1, "b": [1, {"c": 2, "d": 3}]}) == payload_digest({"b": [1, {"d": 3, "c": 2}], "a": 1})
    assert payload_digest({"a": 1}) != payload_digest({"a": 2})
    assert payload_digest({"a": "\ud800", "b": 1}) == payload_digest({"b": 1, "a": "\ud800"})


def test_messages_of_people_have_no_standing() -> None:
    """Each message that a person wrote stands for itself."""
    memory, identity = Deduplicator(10), ("inbound", "+30")
    assert progress_of(parse_callback(inbound())) is None
    memory.record(identity, None, payload_digest(inbound("one")))
    assert memory.classify(identity, None, payload_digest(inbound("two"))) is ReceiveResult.NEW
    assert memory.classify(identity, None, payload_digest(inbound("one"))) is ReceiveResult.DUPLICATE


def test_memory_is_bounded() -> None:
    """What was set longest ago is forgotten first; setting it again counts."""
    latest: BoundedDict[int, str] = BoundedDict(2)
    for key in (1, 2, 1, 3):
        latest.set(key, str(key))
    assert (latest.get(1), latest.get(2), latest.get(3), len(latest)) == ("1", None, "3", 2)
