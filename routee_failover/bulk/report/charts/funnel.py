"""How many rows came how far: one bar below the other, each as long as what is left."""

from collections.abc import Iterator
from typing import NamedTuple

from ..markup import Markup, joined, tag
from ..values import DELIVERED, FAILED, NOT_TOLD, UNDER_WAY, Summary
from ..wording import share
from .frame import block, drawing, words

_ROW = 68
_BAR = 16


class Step(NamedTuple):
    """How many came so far, and what became of those that came as far as the step before."""

    name: str
    rows: int
    lost: tuple[str, ...] = ()


def funnel_steps(summary: Summary) -> list[Step]:
    """From rows to delivered ones, the latter where anybody has asked for them."""
    counts = summary.counts
    steps = [
        Step("Rows", counts.total),
        Step("Valid", counts.total - counts.invalid, _lost((counts.invalid, "invalid"))),
        Step(
            "Accepted",
            counts.accepted,
            _lost(
                (counts.open, "not sent yet"),
                (counts.rejected, "rejected"),
                (counts.unknown, "unknown"),
                (counts.expired, "expired"),
            ),
        ),
    ]
    if summary.fated(NOT_TOLD) < counts.accepted:
        lost = _lost(
            (summary.fated(FAILED), "not delivered"),
            (summary.fated(UNDER_WAY), "under way"),
            (summary.fated(NOT_TOLD), "not known yet"),
        )
        steps.append(Step("Delivered", summary.fated(DELIVERED), lost))
    return steps


def _lost(*parts: tuple[int, str]) -> tuple[str, ...]:
    return tuple(f"{count:,} {what}" for count, what in parts if count)


def funnel_chart(summary: Summary, title: str) -> Markup:
    """Rows, valid, accepted, delivered."""
    steps = funnel_steps(summary)
    told = ", ".join(f"{step.name.lower()} {step.rows:,}" for step in steps)
    return drawing("funnel", title, f"{told}.", _ROW * len(steps) - 4, *_rows(steps))


def _rows(steps: list[Step]) -> Iterator[Markup]:
    whole = steps[0].rows
    for at, step in enumerate(steps):
        y = _ROW * at + 15
        reached = step.rows / whole if whole else 0.0
        yield joined(
            words(f"{step.name} {step.rows:,}", 0, y, kind="strong"),
            words(share(step.rows, whole), 1, y, anchor="end", kind="strong") if at else None,
            block(0, y + 8, 1, _BAR, "track", round_=2),
            block(0, y + 8, reached, _BAR, "best" if step.name == "Delivered" else "good", round_=2),
            _without(step.lost, y + _BAR + 22),
        )


def _without(lost: tuple[str, ...], y: float) -> Markup | None:
    """What got lost; on a narrow page the first two."""
    if not lost:
        return None
    parts = [
        tag("tspan", f"{', ' if at else 'less '}{part}", class_="extra" if at > 1 else None)
        for at, part in enumerate(lost)
    ]
    return tag("text", *parts, x="0", y=y, class_="soft")
