"""The channels on which accepted messages were tried first, and how they ended: bands as wide as they are many."""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from ...delivery_summary import DELIVERED, FAILED, UNKNOWN
from ..markup import Markup, percent, tag
from ..values import Journey
from ..wording import share
from .frame import block, channel_kind, channel_name, cut, drawing, words

_K = TypeVar("_K")

_TALL = 230
_SLOT = 38
_TOP = 26
_LEFT, _RIGHT = 0.22, 0.65
_POST = 0.012


class _End(NamedTuple):
    """An end on the right: a channel that delivered, or another outcome."""

    outcome: str
    channel: str

    @property
    def name(self) -> str:
        """As it is written beside it."""
        return channel_name(self.channel) if self.outcome == DELIVERED else _OTHERS[self.outcome]

    @property
    def kind(self) -> str:
        """The class of its colour."""
        return channel_kind(self.channel) if self.outcome == DELIVERED else _KINDS[self.outcome]


_OTHERS = {FAILED: "Failed", UNKNOWN: "No report yet"}
_KINDS = {FAILED: "bad", UNKNOWN: "none"}
_ORDER = {"viber": 0, "sms": 1, "voice": 2}


class _Node(NamedTuple):
    """A post on one side: its top and its height."""

    top: float
    height: float


def journeys_chart(journeys: tuple[Journey, ...], title: str) -> Markup:
    """Bands from the channel that was tried first to the end; a band's colour is that of its end."""
    bands = _together(journeys)
    whole = sum(bands.values())
    firsts, ends = _sides(bands)
    left, right = _posts(firsts, whole), _posts(ends, whole)
    height = max(_foot(left), _foot(right))
    shifts = (height - _foot(left)) / 2, (height - _foot(right)) / 2
    left = {name: node._replace(top=node.top + shifts[0]) for name, node in left.items()}
    right = {name: node._replace(top=node.top + shifts[1]) for name, node in right.items()}
    return drawing(
        "journeys",
        title,
        "; ".join(f"first {channel_name(first)}, then {_told(end)}: {count:,}" for (first, end), count in bands.items())
        + ".",
        height + 6,
        words("Tried first", _LEFT - 0.015, 12, anchor="end", kind="soft"),
        words("Ended", _RIGHT + 0.015, 12, kind="soft"),
        tag(
            "svg",
            *_bands(bands, left, right, _TALL / whole),
            x=percent(_LEFT),
            y="0",
            width=percent(_RIGHT - _LEFT),
            height=height,
            viewBox=f"0 0 100 {height:.2f}",
            preserveAspectRatio="none",
            aria_hidden="true",
        ),
        *_labels(left, right, firsts, ends, whole),
    )


def has_bands(journeys: tuple[Journey, ...]) -> bool:
    """Whether a drawing says something: a single band does not, nor bands of which no beginning is known."""
    return len(_together(journeys)) > 1 and any(journey.first for journey in journeys)


def _together(journeys: tuple[Journey, ...]) -> dict[tuple[str, _End], int]:
    bands: dict[tuple[str, _End], int] = {}
    for journey in journeys:
        end = _End(journey.outcome, journey.ended if journey.outcome == DELIVERED else "")
        bands[journey.first, end] = bands.get((journey.first, end), 0) + journey.rows
    return bands


def _told(end: _End) -> str:
    return f"delivered by {end.name}" if end.outcome == DELIVERED else end.name.lower()


def _sides(bands: dict[tuple[str, _End], int]) -> tuple[dict[str, int], dict[_End, int]]:
    firsts: dict[str, int] = {}
    ends: dict[_End, int] = {}
    for (first, end), count in bands.items():
        firsts[first] = firsts.get(first, 0) + count
        ends[end] = ends.get(end, 0) + count
    by_channel = sorted(firsts, key=_rank)
    outcomes = [DELIVERED, *_OTHERS]
    by_end = sorted(ends, key=lambda end: (outcomes.index(end.outcome), _rank(end.channel)))
    return {first: firsts[first] for first in by_channel}, {end: ends[end] for end in by_end}


def _rank(channel: str) -> tuple[int, str]:
    return _ORDER.get(channel.lower(), 3 if channel else 4), channel


def _posts(counts: dict[_K, int], whole: int) -> dict[_K, _Node]:
    """One below the other, each in room enough for its two lines of letters."""
    posts: dict[_K, _Node] = {}
    top = float(_TOP)
    for name, count in counts.items():
        height = max(_TALL * count / whole, 1.5)
        slot = max(height, _SLOT) + 8
        posts[name] = _Node(top + (slot - height) / 2, height)
        top += slot
    return posts


def _foot(posts: dict[_K, _Node]) -> float:
    last = [*posts.values()][-1]
    return last.top + last.height + max(_SLOT - last.height, 0) / 2 + 4


def _bands(
    bands: dict[tuple[str, _End], int], left: dict[str, _Node], right: dict[_End, _Node], scale: float
) -> Iterator[Markup]:
    from_left = {first: node.top for first, node in left.items()}
    to_right = {end: node.top for end, node in right.items()}
    for first in left:
        for end in right:
            count = bands.get((first, end))
            if not count:
                continue
            width = max(count * scale, 0.6)
            a, b = from_left[first], to_right[end]
            from_left[first], to_right[end] = a + count * scale, b + count * scale
            yield tag(
                "path",
                tag("title", f"first {channel_name(first)}, then {_told(end)}: {count:,}"),
                d=f"M0 {a:.1f}C50 {a:.1f} 50 {b:.1f} 100 {b:.1f}V{b + width:.1f}"
                f"C50 {b + width:.1f} 50 {a + width:.1f} 0 {a + width:.1f}Z",
                class_=f"band {end.kind}",
            )


def _labels(
    left: dict[str, _Node], right: dict[_End, _Node], firsts: dict[str, int], ends: dict[_End, int], whole: int
) -> Iterator[Markup]:
    for first, node in left.items():
        yield block(_LEFT - _POST / 2, node.top, _POST, node.height, "post")
        yield from _label(cut(channel_name(first), 8), firsts[first], whole, _LEFT - 0.015, node, left=True)
    for end, node in right.items():
        yield block(_RIGHT - _POST / 2, node.top, _POST, node.height, end.kind)
        yield from _label(
            cut(end.name, 10) if end.outcome == DELIVERED else end.name,
            ends[end],
            whole,
            _RIGHT + 0.015,
            node,
            left=False,
        )


def _label(name: str, count: int, whole: int, x: float, node: _Node, *, left: bool) -> Iterator[Markup]:
    middle = node.top + node.height / 2
    yield words(name, x, middle - 2, anchor="end" if left else "start", kind="strong")
    yield tag(
        "text",
        f"{count:,}",
        tag("tspan", f" · {share(count, whole)}", class_="extra"),
        x=percent(x),
        y=middle + 14,
        text_anchor="end" if left else None,
        class_="soft",
    )
