"""Funnel chart: accepted out of all messages, and delivered out of the accepted ones."""

from collections.abc import Iterator
from typing import NamedTuple

from ...delivery_summary import DELIVERED, FAILED, UNKNOWN
from ..formatting import format_share
from ..markup import Markup, join_markup, tag
from ..model import RunSummary
from .svg import rectangle, svg_chart, svg_text

_ROW_HEIGHT = 68
_BAR_HEIGHT = 16


class FunnelStage(NamedTuple):
    """Messages that reached a stage, out of a base, and the others of that base by outcome."""

    name: str
    messages: int
    base: int
    base_label: str
    """Name of the base, for example `all messages`."""
    drop_offs: tuple[str, ...] = ()

    @property
    def share_text(self) -> str:
        """The percentage with its base."""
        return f"{format_share(self.messages, self.base)} of {self.base_label}"


def funnel_stages(summary: RunSummary) -> list[FunnelStage]:
    """Return the stages: accepted out of all, and delivered out of accepted if there are delivery reports."""
    counts = summary.counts
    stages = [
        FunnelStage(
            "Accepted",
            counts.accepted,
            counts.total,
            "all messages",
            _drop_offs(
                (counts.rejected, "rejected"),
                (counts.unknown, "unknown"),
                (counts.invalid, "invalid"),
                (counts.expired, "expired"),
                (counts.pending, "not sent yet"),
            ),
        ),
    ]
    if summary.count_accepted(DELIVERED, FAILED):
        drop_offs = _drop_offs(
            (summary.count_accepted(FAILED), "failed"), (summary.count_accepted(UNKNOWN), "without a delivery report")
        )
        stages.append(
            FunnelStage("Delivered", summary.count_accepted(DELIVERED), counts.accepted, "accepted", drop_offs)
        )
    return stages


def _drop_offs(*parts: tuple[int, str]) -> tuple[str, ...]:
    return tuple(f"{count:,} {outcome}" for count, outcome in parts if count)


def funnel_chart(stages: list[FunnelStage], title: str) -> Markup:
    """Return a bar for each stage."""
    description = ", ".join(f"{stage.name.lower()} {stage.messages:,}, {stage.share_text}" for stage in stages)
    return svg_chart("funnel", title, f"{description}.", _ROW_HEIGHT * len(stages) - 4, *_rows(stages))


def _rows(stages: list[FunnelStage]) -> Iterator[Markup]:
    total = stages[0].base
    for index, stage in enumerate(stages):
        y = _ROW_HEIGHT * index + 15
        yield join_markup(
            svg_text(f"{stage.name} {stage.messages:,}", 0, y, css_class="strong"),
            svg_text(stage.share_text, 1, y, anchor="end", css_class="strong"),
            rectangle(0, y + 8, stage.base / total, _BAR_HEIGHT, "track", corner_radius=2),
            rectangle(
                0,
                y + 8,
                stage.messages / total,
                _BAR_HEIGHT,
                "delivered" if stage.name == "Delivered" else "good",
                corner_radius=2,
            ),
            _drop_offs_text(stage.drop_offs, y + _BAR_HEIGHT + 22),
        )


def _drop_offs_text(drop_offs: tuple[str, ...], y: float) -> Markup:
    """Return the drop-offs below a bar; on a narrow page only the first three."""
    parts = [
        tag("tspan", f"{', ' if index else ''}{part}", class_="wide-only" if index > 2 else None)
        for index, part in enumerate(drop_offs)
    ]
    return tag("text", *parts, x="0", y=y, class_="muted")
