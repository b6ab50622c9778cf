"""Exhaustive state-space explorer: visits every reachable state of a model, and finds the path to one."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import attrs

_State = TypeVar("_State")


@attrs.frozen
class Explored(Generic[_State]):
    """The reachable states of a model."""

    states: dict[_State, tuple[_State, str] | None]
    """Each with the state that it was reached from first, and the step; the nearest first."""
    successors: dict[_State, tuple[_State, ...]]

    def shortest_path(self, is_target: Callable[[_State], bool]) -> list[str] | None:
        """Return the fewest steps to a state for which `is_target` is true; `None` if none is reachable."""
        state = next((one for one in self.states if is_target(one)), None)
        if state is None:
            return None
        path: list[str] = []
        before = self.states[state]
        while before is not None:
            path.append(before[1])
            before = self.states[before[0]]
        return path[::-1]

    def dead_end(self, is_final: Callable[[_State], bool]) -> list[str] | None:
        """Return the steps to a state from which no order of steps leads to a final one; `None` if there is none."""
        predecessors: dict[_State, list[_State]] = {}
        for state, following in self.successors.items():
            for one in following:
                predecessors.setdefault(one, []).append(state)
        safe = {state for state in self.states if is_final(state)}
        pending = list(safe)
        while pending:
            for before in predecessors.get(pending.pop(), ()):
                if before not in safe:
                    safe.add(before)
                    pending.append(before)
        return self.shortest_path(lambda state: state not in safe)


def explore(
    start: _State,
    steps: Callable[[_State], Iterable[tuple[str, _State]]],
    until: Callable[[_State], bool] = lambda _state: False,
) -> Explored[_State]:
    """Explore the states that can be reached from `start`, breadth first, until one for which `until` is true."""
    states: dict[_State, tuple[_State, str] | None] = {start: None}
    successors: dict[_State, tuple[_State, ...]] = {}
    pending = deque([start])
    while pending:
        state = pending.popleft()
        found: list[_State] = []
        for step, following in steps(state):
            found.append(following)
            if following not in states:
                states[following] = (state, step)
                if until(following):
                    return Explored(states, successors)
                pending.append(following)
        successors[state] = tuple(found)
    return Explored(states, successors)
