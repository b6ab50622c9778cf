"""What all drawings have: a title and a description for those who do not see it, and marks placed in hundredths."""

from typing import Literal

from ...delivery_summary import channel_name as _channel_name
from ..markup import Child, Markup, percent, tag

Anchor = Literal["start", "middle", "end"]


def svg_chart(name: str, title: str, description: str, height: float, *content: Child) -> Markup:
    """A drawing of this height in CSS pixels, as wide as there is room."""
    return tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        tag("desc", description, id=f"{name}-desc"),
        *content,
        class_="chart",
        width="100%",
        height=height,
        role="img",
        aria_labelledby=f"{name}-title {name}-desc",
    )


def svg_text(
    text: str, x: float, y: float, *, anchor: Anchor = "start", css_class: str | None = None, dx: float = 0
) -> Markup:
    """A text whose line stands at `y`; `x` is a share of the width."""
    return tag(
        "text",
        text,
        x=percent(x),
        y=y,
        dx=dx or None,
        class_=css_class,
        text_anchor=None if anchor == "start" else anchor,
    )


def rectangle(
    x: float,
    y: float,
    width: float,
    height: float,
    css_class: str,
    *,
    tooltip: str | None = None,
    corner_radius: float | None = None,
) -> Markup:
    """A filled rectangle; what a pointer over it tells is `tip`."""
    return tag(
        "rect",
        *([tag("title", tooltip)] if tooltip else []),
        x=percent(x),
        y=y,
        width=percent(width),
        height=height,
        rx=corner_radius,
        class_=css_class,
    )


def horizontal_line(y: float, css_class: str = "grid") -> Markup:
    """A line from side to side."""
    return tag("line", x1="0", x2="100%", y1=y, y2=y, class_=css_class)


def vertical_line(x: float, top: float, bottom: float, css_class: str) -> Markup:
    """A line from top to bottom."""
    return tag("line", x1=percent(x), x2=percent(x), y1=top, y2=bottom, class_=css_class)


def anchor_at(x: float, margin: float = 0.05) -> Anchor:
    """Which end of a text stands at `x`, so that it does not leave the drawing."""
    return "start" if x < margin else "end" if x > 1 - margin else "middle"


def truncate(text: str, max_length: int) -> str:
    """A name that others give, as long as there is room for on a phone; the table has it whole."""
    return text if len(text) <= max_length else text[: max_length - 1].rstrip() + "…"


KNOWN_CHANNELS = frozenset({"viber", "sms", "voice"})


def channel_css_class(channel: str) -> str:
    """The class of a channel's colour."""
    known = channel.lower()
    return f"of-{known}" if known in KNOWN_CHANNELS else "of-other"


def channel_label(channel: str) -> str:
    """How a channel is written here."""
    return _channel_name(channel) or "Not known"
