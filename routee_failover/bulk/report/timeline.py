"""Messages over time, and the time in which nothing happened: each moment is counted in one of the two."""

from itertools import pairwise
from typing import NamedTuple

from .model import ActivePeriod, RateBar, RateSeries

# Seconds. None is shorter than a second: what happens in a hundredth of one is no rate. Each divides the next, so that
# counts can be put together, and is about six of it at most.
_WIDTHS = (
    *(1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 14_400, 43_200, 86_400),
    *(432_000, 2_592_000, 12_960_000),
)
_MAX_WINDOWS = 2_000
_MAX_BARS = 200
_MAX_PERIODS = 8
_MIN_IDLE = 5.0
_IDLE_GAP_FACTOR = 12
"""Messages that come by chance are hardly ever further apart than so many times their mean."""


class _Window:
    """What happened in one of the stretches of time, and from when to when."""

    __slots__ = ("counts", "started_at", "ended_at")

    def __init__(self, started_at: float, ended_at: float) -> None:
        self.counts = [0, 0, 0]
        self.started_at, self.ended_at = started_at, ended_at


class _Gap(NamedTuple):
    """Idle time between two windows: the first after it, and how long it is, in seconds."""

    after: int
    length: float


class Timeline:
    """Counts in windows that become longer as there are more of them, and the idle times between them."""

    def __init__(self) -> None:
        self._width_index = 0
        self._origin: float | None = None
        """Where windows begin: with the run, so that its first second is a whole one."""
        self._windows: dict[int, _Window] = {}
        self._messages = 0

    def add(self, sent_at: float, outcome: int | None = None, *, started_at: float, ended_at: float) -> None:
        """Count a message of a kind (0, 1 or 2) at a moment; it was being sent from `since` to `until`.

        One without a kind is not counted, and was being sent all the same.
        """
        self._messages += 1
        if self._origin is None:
            self._origin = started_at
        place = int((sent_at - self._origin) // _WIDTHS[self._width_index])
        window = self._windows.get(place)
        if window is None:
            window = self._windows[place] = _Window(started_at, ended_at)
        else:
            window.started_at, window.ended_at = min(window.started_at, started_at), max(window.ended_at, ended_at)
        if outcome is not None:
            window.counts[outcome] += 1
        if len(self._windows) > _MAX_WINDOWS:
            self._merge_windows()

    @property
    def started_at(self) -> float | None:
        """When the first was begun."""
        return min((window.started_at for window in self._windows.values()), default=None)

    @property
    def ended_at(self) -> float | None:
        """When the last was done with."""
        return max((window.ended_at for window in self._windows.values()), default=None)

    @property
    def idle_seconds(self) -> float:
        """Seconds in which no message was being sent, as between a stop and its resume."""
        return sum(gap.length for gap in self._idle_gaps())

    def rate(self) -> RateSeries | None:
        """Return the counts in at most 200 bars of a second or longer; the longest idle times part them in stretches.

        Wider windows are merged for good: ask for `idle` before.
        """
        if self._origin is None or not any(sum(window.counts) for window in self._windows.values()):
            return None
        total = sum(sum(window.counts) for window in self._windows.values())
        stretches = self._active_periods()
        while self._width_index < len(_WIDTHS) - 1 and self._too_fine(stretches, total):
            self._merge_windows()
            stretches = self._active_periods()
        width = _WIDTHS[self._width_index]
        return RateSeries(
            width,
            tuple(
                ActivePeriod(self._origin + first * width, tuple(self._bar(at) for at in range(first, last + 1)), idle)
                for first, last, idle in stretches
            ),
        )

    def _bar(self, place: int) -> RateBar:
        window = self._windows.get(place)
        return RateBar() if window is None else RateBar(*window.counts)

    def _too_fine(self, stretches: list[tuple[int, int, float]], total: int) -> bool:
        bars = sum(last - first + 1 for first, last, _ in stretches)
        if bars > _MAX_BARS:
            return True
        # Bars of one or two are no rate, bars of a dozen are mostly chance; but enough must be left to see a course.
        left = bars * _WIDTHS[self._width_index] // _WIDTHS[self._width_index + 1]
        return (total < 3 * bars and left >= 12) or (total < 25 * bars and left >= 40)

    def _merge_windows(self) -> None:
        factor = _WIDTHS[self._width_index + 1] // _WIDTHS[self._width_index]
        self._width_index += 1
        wider: dict[int, _Window] = {}
        for place, window in self._windows.items():
            whole = wider.setdefault(place // factor, _Window(window.started_at, window.ended_at))
            whole.started_at, whole.ended_at = (
                min(whole.started_at, window.started_at),
                max(whole.ended_at, window.ended_at),
            )
            for kind, count in enumerate(window.counts):
                whole.counts[kind] += count
        self._windows = wider

    def _gaps(self) -> list[_Gap]:
        """All times between two windows in which nothing was being sent."""
        places = sorted(self._windows)
        # What is counted later may have begun before.
        begins: list[float] = []
        for place in reversed(places):
            since = self._windows[place].started_at
            begins.append(min(since, begins[-1]) if begins else since)
        begins.reverse()
        gaps: list[_Gap] = []
        until = float("-inf")
        for (before, after), begin in zip(pairwise(places), begins[1:], strict=True):
            until = max(until, self._windows[before].ended_at)
            if begin > until:
                gaps.append(_Gap(after, begin - until))
        return gaps

    def _idle_gaps(self) -> list[_Gap]:
        """Those that are longer than the pace of the run explains."""
        gaps = self._gaps()
        since, until = self.started_at, self.ended_at
        if not gaps or since is None or until is None:
            return []
        # The pace is that of the time which is not idle. With each gap that is told from it, it becomes clearer.
        active = until - since - max(gap.length for gap in gaps)
        while True:
            least = max(_MIN_IDLE, _IDLE_GAP_FACTOR * active / self._messages)
            idle = [gap for gap in gaps if gap.length > least]
            left = until - since - sum(gap.length for gap in idle)
            if left >= active:
                return idle
            active = left

    def _active_periods(self) -> list[tuple[int, int, float]]:
        """First and last windows between the longest idle times, each with the idle time before it."""
        places = sorted(place for place, window in self._windows.items() if sum(window.counts))
        idle = {gap.after: gap.length for gap in self._idle_gaps()}
        between = [
            (before, after, sum(length for place, length in idle.items() if before < place <= after))
            for before, after in pairwise(places)
            if after - before > 1
        ]
        parted = sorted((gap for gap in between if gap[2]), key=lambda gap: -gap[2])[: _MAX_PERIODS - 1]
        breaks = sorted(parted)
        firsts = [places[0], *(after for _, after, _ in breaks)]
        lasts = [*(before for before, _, _ in breaks), places[-1]]
        return list(zip(firsts, lasts, (0.0, *(idle for _, _, idle in breaks)), strict=True))
