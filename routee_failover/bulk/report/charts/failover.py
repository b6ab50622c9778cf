"""Sankey chart of failover: links from the first channel to the outcome, as wide as their number of messages."""

from collections.abc import Iterator
from typing import NamedTuple, TypeVar

from ...delivery_summary import DELIVERED, FAILED, UNKNOWN
from ..formatting import format_share
from ..markup import Markup, percent, tag
from ..model import FailoverPath
from .svg import channel_css_class, channel_label, rectangle, svg_chart, svg_text, truncate

_K = TypeVar("_K")

_FLOW_HEIGHT = 230
_MIN_NODE_HEIGHT = 38
_TOP = 26
_LEFT, _RIGHT = 0.22, 0.65
_NODE_WIDTH = 0.012


class _PathEnd(NamedTuple):
    """A node on the right: a channel that delivered, or another outcome."""

    outcome: str
    channel: str

    @property
    def name(self) -> str:
        """Its label."""
        return channel_label(self.channel) if self.outcome == DELIVERED else _OUTCOME_NAMES[self.outcome]

    @property
    def css_class(self) -> str:
        """The CSS class of its colour."""
        return channel_css_class(self.channel) if self.outcome == DELIVERED else _OUTCOME_CSS_CLASSES[self.outcome]


_OUTCOME_NAMES = {FAILED: "Failed", UNKNOWN: "No report yet"}
_OUTCOME_CSS_CLASSES = {FAILED: "bad", UNKNOWN: "neutral"}
_CHANNEL_ORDER = {"viber": 0, "sms": 1, "voice": 2}


class _Node(NamedTuple):
    """Top and height of a node in pixels."""

    top: float
    height: float


def failover_chart(paths: tuple[FailoverPath, ...], title: str) -> Markup:
    """Return links from the first channel to the end; a link has the colour of its end."""
    links = _merge_paths(paths)
    total = sum(links.values())
    firsts, ends = _count_nodes(links)
    # The two sides are centred vertically.
    left, right = _layout_nodes(firsts, total), _layout_nodes(ends, total)
    height = max(_bottom(left), _bottom(right))
    shifts = (height - _bottom(left)) / 2, (height - _bottom(right)) / 2
    left = {name: node._replace(top=node.top + shifts[0]) for name, node in left.items()}
    right = {name: node._replace(top=node.top + shifts[1]) for name, node in right.items()}
    return svg_chart(
        "failover",
        title,
        "; ".join(
            f"first {channel_label(first)}, then {_describe_end(end)}: {count:,}"
            for (first, end), count in links.items()
        )
        + ".",
        height + 6,
        svg_text("Tried first", _LEFT - 0.015, 12, anchor="end", css_class="muted"),
        svg_text("Outcome", _RIGHT + 0.015, 12, css_class="muted"),
        tag(
            "svg",
            *_links(links, left, right, _FLOW_HEIGHT / total),
            x=percent(_LEFT),
            y="0",
            width=percent(_RIGHT - _LEFT),
            height=height,
            viewBox=f"0 0 100 {height:.2f}",
            preserveAspectRatio="none",
            aria_hidden="true",
        ),
        *_labels(left, right, firsts, ends, total),
    )


def has_links(paths: tuple[FailoverPath, ...]) -> bool:
    """Return whether a chart is meaningful: there are several links, and a first channel is known."""
    return len(_merge_paths(paths)) > 1 and any(path.first_channel for path in paths)


def _merge_paths(paths: tuple[FailoverPath, ...]) -> dict[tuple[str, _PathEnd], int]:
    links: dict[tuple[str, _PathEnd], int] = {}
    for path in paths:
        end = _PathEnd(path.outcome, path.final_channel if path.outcome == DELIVERED else "")
        links[path.first_channel, end] = links.get((path.first_channel, end), 0) + path.messages
    return links


def _describe_end(end: _PathEnd) -> str:
    return f"delivered by {end.name}" if end.outcome == DELIVERED else end.name.lower()


def _count_nodes(links: dict[tuple[str, _PathEnd], int]) -> tuple[dict[str, int], dict[_PathEnd, int]]:
    firsts: dict[str, int] = {}
    ends: dict[_PathEnd, int] = {}
    for (first, end), count in links.items():
        firsts[first] = firsts.get(first, 0) + count
        ends[end] = ends.get(end, 0) + count
    sorted_firsts = sorted(firsts, key=_rank)
    outcomes = [DELIVERED, *_OUTCOME_NAMES]
    sorted_ends = sorted(ends, key=lambda end: (outcomes.index(end.outcome), _rank(end.channel)))
    return {first: firsts[first] for first in sorted_firsts}, {end: ends[end] for end in sorted_ends}


def _rank(channel: str) -> tuple[int, str]:
    return _CHANNEL_ORDER.get(channel.lower(), 3 if channel else 4), channel


def _layout_nodes(counts: dict[_K, int], total: int) -> dict[_K, _Node]:
    """Return the nodes one below the other, each with enough space for its two lines of text."""
    nodes: dict[_K, _Node] = {}
    top = float(_TOP)
    for name, count in counts.items():
        height = max(_FLOW_HEIGHT * count / total, 1.5)
        slot = max(height, _MIN_NODE_HEIGHT) + 8
        nodes[name] = _Node(top + (slot - height) / 2, height)
        top += slot
    return nodes


def _bottom(nodes: dict[_K, _Node]) -> float:
    last = [*nodes.values()][-1]
    return last.top + last.height + max(_MIN_NODE_HEIGHT - last.height, 0) / 2 + 4


def _links(
    links: dict[tuple[str, _PathEnd], int], left: dict[str, _Node], right: dict[_PathEnd, _Node], scale: float
) -> Iterator[Markup]:
    left_tops = {first: node.top for first, node in left.items()}
    right_tops = {end: node.top for end, node in right.items()}
    for first in left:
        for end in right:
            count = links.get((first, end))
            if not count:
                continue
            width = max(count * scale, 0.6)
            a, b = left_tops[first], right_tops[end]
            left_tops[first], right_tops[end] = a + count * scale, b + count * scale
            yield tag(
                "path",
                tag("title", f"first {channel_label(first)}, then {_describe_end(end)}: {count:,}"),
                d=f"M0 {a:.1f}C50 {a:.1f} 50 {b:.1f} 100 {b:.1f}V{b + width:.1f}"
                f"C50 {b + width:.1f} 50 {a + width:.1f} 0 {a + width:.1f}Z",
                class_=f"link {end.css_class}",
            )


def _labels(
    left: dict[str, _Node], right: dict[_PathEnd, _Node], firsts: dict[str, int], ends: dict[_PathEnd, int], total: int
) -> Iterator[Markup]:
    for first, node in left.items():
        yield rectangle(_LEFT - _NODE_WIDTH / 2, node.top, _NODE_WIDTH, node.height, "node")
        yield from _label(truncate(channel_label(first), 8), firsts[first], total, _LEFT - 0.015, node, left=True)
    for end, node in right.items():
        yield rectangle(_RIGHT - _NODE_WIDTH / 2, node.top, _NODE_WIDTH, node.height, end.css_class)
        yield from _label(
            truncate(end.name, 10) if end.outcome == DELIVERED else end.name,
            ends[end],
            total,
            _RIGHT + 0.015,
            node,
            left=False,
        )


def _label(name: str, count: int, total: int, x: float, node: _Node, *, left: bool) -> Iterator[Markup]:
    middle = node.top + node.height / 2
    yield svg_text(name, x, middle - 2, anchor="end" if left else "start", css_class="strong")
    yield tag(
        "text",
        f"{count:,}",
        tag("tspan", f" · {format_share(count, total)}", class_="wide-only"),
        x=percent(x),
        y=middle + 14,
        text_anchor="end" if left else None,
        class_="muted",
    )
