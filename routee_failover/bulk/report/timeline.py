"""Timeline of a run: message counts over time, and idle time. All time counts as either active or idle."""

from itertools import pairwise
from typing import NamedTuple

from .model import ActivePeriod, RateBar, RateSeries

# In seconds. None is shorter than a second: a count within a hundredth of one is not a rate. Each divides the next one,
# so that counts can be merged, by a factor of about six at most.
_WIDTHS = (
    *(1, 5, 10, 30, 60, 300, 600, 1_800, 3_600, 14_400, 43_200, 86_400),
    *(432_000, 2_592_000, 12_960_000),
)
_MAX_WINDOWS = 2_000
_MAX_BARS = 200
_MAX_PERIODS = 8
_MIN_IDLE = 5.0
_IDLE_GAP_FACTOR = 12
"""Intervals of random arrivals are hardly ever longer than this multiple of their mean."""


class _Window:
    """Counts of one time window, with the start of its first message and the end of its last."""

    __slots__ = ("counts", "ended_at", "started_at")

    def __init__(self, started_at: float, ended_at: float) -> None:
        self.counts = [0, 0, 0]
        self.started_at, self.ended_at = started_at, ended_at


class _Gap(NamedTuple):
    """Time without a message in flight: the index of the window after it, and its length in seconds."""

    after: int
    length: float


class Timeline:
    """Message counts in windows, which are merged into wider ones when there are too many, and the idle time."""

    def __init__(self) -> None:
        self._width_index = 0
        self._origin: float | None = None
        """Start of the first window: the start of the run, so that its first second is a complete one."""
        self._windows: dict[int, _Window] = {}
        self._messages = 0

    def add(self, sent_at: float, outcome: int | None = None, *, started_at: float, ended_at: float) -> None:
        """Count a message with this outcome (0, 1 or 2) at `sent_at`; it was in flight from `started_at` to `ended_at`.

        Without an outcome it is in no count, but its time is active all the same.
        """
        self._messages += 1
        if self._origin is None:
            self._origin = started_at
        index = int((sent_at - self._origin) // _WIDTHS[self._width_index])
        window = self._windows.get(index)
        if window is None:
            window = self._windows[index] = _Window(started_at, ended_at)
        else:
            window.started_at, window.ended_at = min(window.started_at, started_at), max(window.ended_at, ended_at)
        if outcome is not None:
            window.counts[outcome] += 1
        if len(self._windows) > _MAX_WINDOWS:
            self._merge_windows()

    @property
    def started_at(self) -> float | None:
        """Start of the first message, in seconds since 1970."""
        return min((window.started_at for window in self._windows.values()), default=None)

    @property
    def ended_at(self) -> float | None:
        """End of the last message, in seconds since 1970."""
        return max((window.ended_at for window in self._windows.values()), default=None)

    @property
    def idle_seconds(self) -> float:
        """Seconds in which no message was in flight, for example between a stop and the resume."""
        return sum(gap.length for gap in self._idle_gaps())

    def rate(self) -> RateSeries | None:
        """Return the counts in at most 200 bars of at least a second, divided into periods by the longest idle times.

        Windows are merged irreversibly: read `idle_seconds` before.
        """
        if self._origin is None or not any(sum(window.counts) for window in self._windows.values()):
            return None
        total = sum(sum(window.counts) for window in self._windows.values())
        periods = self._active_periods()
        while self._width_index < len(_WIDTHS) - 1 and self._too_fine(periods, total):
            self._merge_windows()
            periods = self._active_periods()
        width = _WIDTHS[self._width_index]
        return RateSeries(
            width,
            tuple(
                ActivePeriod(
                    self._origin + first * width, tuple(self._bar(index) for index in range(first, last + 1)), idle
                )
                for first, last, idle in periods
            ),
        )

    def _bar(self, index: int) -> RateBar:
        window = self._windows.get(index)
        return RateBar() if window is None else RateBar(*window.counts)

    def _too_fine(self, periods: list[tuple[int, int, float]], total: int) -> bool:
        bars = sum(last - first + 1 for first, last, _ in periods)
        if bars > _MAX_BARS:
            return True
        # A bar of one or two messages is not a rate, one of a dozen is mostly random; but a trend needs enough bars.
        merged_bars = bars * _WIDTHS[self._width_index] // _WIDTHS[self._width_index + 1]
        return (total < 3 * bars and merged_bars >= 12) or (total < 25 * bars and merged_bars >= 40)

    def _merge_windows(self) -> None:
        factor = _WIDTHS[self._width_index + 1] // _WIDTHS[self._width_index]
        self._width_index += 1
        merged: dict[int, _Window] = {}
        for index, window in self._windows.items():
            target = merged.setdefault(index // factor, _Window(window.started_at, window.ended_at))
            target.started_at, target.ended_at = (
                min(target.started_at, window.started_at),
                max(target.ended_at, window.ended_at),
            )
            for outcome, count in enumerate(window.counts):
                target.counts[outcome] += count
        self._windows = merged

    def _gaps(self) -> list[_Gap]:
        """Return all times between two windows in which no message was in flight."""
        indexes = sorted(self._windows)
        # A message that is counted in a later window may have started before an earlier one.
        starts: list[float] = []
        for index in reversed(indexes):
            started_at = self._windows[index].started_at
            starts.append(min(started_at, starts[-1]) if starts else started_at)
        starts.reverse()
        gaps: list[_Gap] = []
        active_until = float("-inf")
        for (before, after), start in zip(pairwise(indexes), starts[1:], strict=True):
            active_until = max(active_until, self._windows[before].ended_at)
            if start > active_until:
                gaps.append(_Gap(after, start - active_until))
        return gaps

    def _idle_gaps(self) -> list[_Gap]:
        """Return the gaps that are longer than the rate of the run explains."""
        gaps = self._gaps()
        started_at, ended_at = self.started_at, self.ended_at
        if not gaps or started_at is None or ended_at is None:
            return []
        # The rate is that of the active time. Each gap that is recognized as idle makes its estimate more accurate.
        active = ended_at - started_at - max(gap.length for gap in gaps)
        while True:
            min_length = max(_MIN_IDLE, _IDLE_GAP_FACTOR * active / self._messages)
            idle = [gap for gap in gaps if gap.length > min_length]
            remaining = ended_at - started_at - sum(gap.length for gap in idle)
            if remaining >= active:
                return idle
            active = remaining

    def _active_periods(self) -> list[tuple[int, int, float]]:
        """Return the first and last window of each period between the longest idle times, with the idle time before."""
        indexes = sorted(index for index, window in self._windows.items() if sum(window.counts))
        idle = {gap.after: gap.length for gap in self._idle_gaps()}
        candidates = [
            (before, after, sum(length for index, length in idle.items() if before < index <= after))
            for before, after in pairwise(indexes)
            if after - before > 1
        ]
        longest = sorted((gap for gap in candidates if gap[2]), key=lambda gap: -gap[2])[: _MAX_PERIODS - 1]
        breaks = sorted(longest)
        firsts = [indexes[0], *(after for _, after, _ in breaks)]
        lasts = [*(before for before, _, _ in breaks), indexes[-1]]
        return list(zip(firsts, lasts, (0.0, *(idle for _, _, idle in breaks)), strict=True))
