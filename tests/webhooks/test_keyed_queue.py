"""`KeyedQueue`: every item comes out once, in the order of its key, one of a key at a time."""

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from routee_failover.webhooks.keyed_queue import KeyedQueue

_operations = st.lists(st.sampled_from(["put a", "put b", "put c", "get", "done", "clear"]), max_size=60)


@given(_operations)
def test_any_operations_keep_the_order_of_each_key(operations: list[str]) -> None:
    """In any sequence of operations each key keeps its order, and never two of its items are out at once."""
    queue: KeyedQueue[int] = KeyedQueue()
    waiting: dict[str, list[int]] = {"a": [], "b": [], "c": []}
    in_progress: list[str] = []
    for number, operation in enumerate(operations):
        if operation == "get":
            item = queue.try_get()
            available = [key for key, items in waiting.items() if items and key not in in_progress]
            assert (item is None) == (not available)
            if item is not None:
                key = str(item[0])
                assert key in available
                assert item[1] == waiting[key].pop(0)
                in_progress.append(key)
        elif operation == "done" and in_progress:
            queue.task_done(in_progress.pop(0))
        elif operation == "clear":
            assert sorted(queue.clear()) == sorted(chain(*waiting.values()))
            waiting = {key: [] for key in waiting}
        elif operation.startswith("put"):
            queue.put(operation[-1], number)
            waiting[operation[-1]].append(number)
        assert len(queue) == sum(map(len, waiting.values()))


def test_keys_are_served_round_robin() -> None:
    """A flow with many callbacks does not delay the others."""
    queue: KeyedQueue[str] = KeyedQueue()
    for text in ("a1", "a2", "a3", "b1"):
        queue.put(text[0], text)
    order = []
    while (item := queue.try_get()) is not None:
        queue.task_done(item[0])
        order.append(item[1])
    assert order == ["a1", "b1", "a2", "a3"]
