"""How many messages came how far: one bar below the other, each within those that came as far as the step before."""

from collections.abc import Iterator
from typing import NamedTuple

from ...delivery_summary import DELIVERED, FAILED, UNKNOWN
from ..formatting import format_share
from ..markup import Markup, join_markup, tag
from ..model import RunSummary
from .svg import rectangle, svg_chart, svg_text

_ROW = 68
_BAR = 16


class FunnelStage(NamedTuple):
    """How many came so far, out of how many, and what became of the others of these."""

    name: str
    messages: int
    base: int
    base_label: str
    """What the base is."""
    drop_offs: tuple[str, ...] = ()

    @property
    def share_text(self) -> str:
        """The percentage, with what it is a share of."""
        return f"{format_share(self.messages, self.base)} of {self.base_label}"


def funnel_stages(summary: RunSummary) -> list[FunnelStage]:
    """Accepted out of all, and delivered out of the accepted, as far as there are delivery reports."""
    counts = summary.counts
    steps = [
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
        lost = _drop_offs(
            (summary.count_accepted(FAILED), "failed"), (summary.count_accepted(UNKNOWN), "without a delivery report")
        )
        steps.append(FunnelStage("Delivered", summary.count_accepted(DELIVERED), counts.accepted, "accepted", lost))
    return steps


def _drop_offs(*parts: tuple[int, str]) -> tuple[str, ...]:
    return tuple(f"{count:,} {what}" for count, what in parts if count)


def funnel_chart(stages: list[FunnelStage], title: str) -> Markup:
    """A bar for each step."""
    described = ", ".join(f"{step.name.lower()} {step.messages:,}, {step.share_text}" for step in stages)
    return svg_chart("funnel", title, f"{described}.", _ROW * len(stages) - 4, *_rows(stages))


def _rows(steps: list[FunnelStage]) -> Iterator[Markup]:
    whole = steps[0].base
    for at, step in enumerate(steps):
        y = _ROW * at + 15
        yield join_markup(
            svg_text(f"{step.name} {step.messages:,}", 0, y, css_class="strong"),
            svg_text(step.share_text, 1, y, anchor="end", css_class="strong"),
            rectangle(0, y + 8, step.base / whole, _BAR, "track", corner_radius=2),
            rectangle(
                0,
                y + 8,
                step.messages / whole,
                _BAR,
                "delivered" if step.name == "Delivered" else "good",
                corner_radius=2,
            ),
            _drop_offs_text(step.drop_offs, y + _BAR + 22),
        )


def _drop_offs_text(lost: tuple[str, ...], y: float) -> Markup:
    """What is missing; on a narrow page the first three."""
    parts = [
        tag("tspan", f"{', ' if at else ''}{part}", class_="wide-only" if at > 2 else None)
        for at, part in enumerate(lost)
    ]
    return tag("text", *parts, x="0", y=y, class_="muted")
