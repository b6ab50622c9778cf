"""How many messages came how far: one bar below the other, each within those that came as far as the step before."""

from collections.abc import Iterator
from typing import NamedTuple

from ...delivery_summary import DELIVERED, FAILED, UNKNOWN
from ..markup import Markup, joined, tag
from ..values import Summary
from ..wording import share
from .frame import block, drawing, words

_ROW = 68
_BAR = 16


class Step(NamedTuple):
    """How many came so far, out of how many, and what became of the others of these."""

    name: str
    rows: int
    base: int
    of: str
    """What the base is."""
    lost: tuple[str, ...] = ()

    @property
    def share(self) -> str:
        """The percentage, with what it is a share of."""
        return f"{share(self.rows, self.base)} of {self.of}"


def funnel_steps(summary: Summary) -> list[Step]:
    """Accepted out of all, and delivered out of the accepted, as far as there are delivery reports."""
    counts = summary.counts
    steps = [
        Step(
            "Accepted",
            counts.accepted,
            counts.total,
            "all messages",
            _lost(
                (counts.rejected, "rejected"),
                (counts.unknown, "unknown"),
                (counts.invalid, "invalid"),
                (counts.expired, "expired"),
                (counts.pending, "not sent yet"),
            ),
        ),
    ]
    if summary.accepted(DELIVERED, FAILED):
        lost = _lost((summary.accepted(FAILED), "failed"), (summary.accepted(UNKNOWN), "without a delivery report"))
        steps.append(Step("Delivered", summary.accepted(DELIVERED), counts.accepted, "accepted", lost))
    return steps


def _lost(*parts: tuple[int, str]) -> tuple[str, ...]:
    return tuple(f"{count:,} {what}" for count, what in parts if count)


def funnel_chart(steps: list[Step], title: str) -> Markup:
    """A bar for each step."""
    described = ", ".join(f"{step.name.lower()} {step.rows:,}, {step.share}" for step in steps)
    return drawing("funnel", title, f"{described}.", _ROW * len(steps) - 4, *_rows(steps))


def _rows(steps: list[Step]) -> Iterator[Markup]:
    whole = steps[0].base
    for at, step in enumerate(steps):
        y = _ROW * at + 15
        yield joined(
            words(f"{step.name} {step.rows:,}", 0, y, kind="strong"),
            words(step.share, 1, y, anchor="end", kind="strong"),
            block(0, y + 8, step.base / whole, _BAR, "track", round_=2),
            block(0, y + 8, step.rows / whole, _BAR, "best" if step.name == "Delivered" else "good", round_=2),
            _without(step.lost, y + _BAR + 22),
        )


def _without(lost: tuple[str, ...], y: float) -> Markup:
    """What is missing; on a narrow page the first three."""
    parts = [
        tag("tspan", f"{', ' if at else ''}{part}", class_="extra" if at > 2 else None) for at, part in enumerate(lost)
    ]
    return tag("text", *parts, x="0", y=y, class_="soft")
