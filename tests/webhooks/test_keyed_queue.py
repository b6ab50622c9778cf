"""`Lanes`: whatever is put in comes out once, in the order of its key, one of a key at a time."""

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from routee_failover.webhooks.keyed_queue import KeyedQueue

_steps = st.lists(st.sampled_from(["put a", "put b", "put c", "take", "done", "clear"]), max_size=60)


@given(_steps)
def test_order(steps: list[str]) -> None:
    """In any course of events each key has its order, and never two of it are out at once."""
    lanes: KeyedQueue[int] = KeyedQueue()
    waiting: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    out: list[str] = []
    for number, step in enumerate(steps):
        if step == "take":
            taken = lanes.try_get()
            free = [key for key, items in waiting.items() if items and key not in out]
            assert (taken is None) == (not free)
            if taken is not None:
                key = str(taken[0])
                assert key in free
                assert taken[1] == waiting[key].pop(0)
                out.append(key)
        elif step == "done" and out:
            lanes.task_done(out.pop(0))
        elif step == "clear":
            assert sorted(lanes.clear()) == sorted(chain(*waiting.values()))
            waiting = {key: [] for key in waiting}
        elif step.startswith("put"):
            lanes.put(step[-1], number)
            waiting[step[-1]].append(number)
        assert len(lanes) == sum(map(len, waiting.values()))


def test_keys_take_turns() -> None:
    """A flow that calls back a lot does not hold up the others."""
    lanes: KeyedQueue[str] = KeyedQueue()
    for item in ("a1", "a2", "a3", "b1"):
        lanes.put(item[0], item)
    order = []
    while (taken := lanes.try_get()) is not None:
        lanes.task_done(taken[0])
        order.append(taken[1])
    assert order == ["a1", "b1", "a2", "a3"]
