"""Goes through every world that can be reached, by every order of steps, and tells how one is reached."""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import attrs

_World = TypeVar("_World")


@attrs.frozen
class Explored(Generic[_World]):
    """What can be reached."""

    worlds: dict[_World, tuple[_World, str] | None]
    """Each with the one that it was reached from first, and by which step; the nearest first."""
    leads_to: dict[_World, tuple[_World, ...]]

    def shortest_path(self, wrong: Callable[[_World], bool]) -> list[str] | None:
        """How a world of which this is true is reached in the fewest steps; `None` if none is."""
        world = next((one for one in self.worlds if wrong(one)), None)
        if world is None:
            return None
        told: list[str] = []
        before = self.worlds[world]
        while before is not None:
            told.append(before[1])
            before = self.worlds[before[0]]
        return told[::-1]

    def dead_end(self, ends: Callable[[_World], bool]) -> list[str] | None:
        """How a world is reached from which no order of steps leads to one of which this is true."""
        came_from: dict[_World, list[_World]] = {}
        for world, then in self.leads_to.items():
            for one in then:
                came_from.setdefault(one, []).append(world)
        safe = {world for world in self.worlds if ends(world)}
        ahead = list(safe)
        while ahead:
            for before in came_from.get(ahead.pop(), ()):
                if before not in safe:
                    safe.add(before)
                    ahead.append(before)
        return self.shortest_path(lambda world: world not in safe)


def explore(
    begin: _World,
    steps: Callable[[_World], Iterable[tuple[str, _World]]],
    until: Callable[[_World], bool] = lambda _world: False,
) -> Explored[_World]:
    """Every world that can be reached from one, or as many as are nearer than one of which `until` is true."""
    worlds: dict[_World, tuple[_World, str] | None] = {begin: None}
    leads_to: dict[_World, tuple[_World, ...]] = {}
    ahead = deque([begin])
    while ahead:
        world = ahead.popleft()
        found: list[_World] = []
        for step, then in steps(world):
            found.append(then)
            if then not in worlds:
                worlds[then] = (world, step)
                if until(then):
                    return Explored(worlds, leads_to)
                ahead.append(then)
        leads_to[world] = tuple(found)
    return Explored(worlds, leads_to)
