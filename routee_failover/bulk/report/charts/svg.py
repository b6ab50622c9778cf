"""SVG building blocks: a chart with an accessible title and description, and shapes positioned in percent."""

from typing import Literal

from ...delivery_summary import channel_name as _channel_name
from ..markup import Child, Markup, percent, tag

Anchor = Literal["start", "middle", "end"]


def svg_chart(name: str, title: str, description: str, height: float, *content: Child) -> Markup:
    """Return a chart of the full width, with this height in CSS pixels; `name` is the prefix of its ids."""
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
    """Return a text with its baseline at `y` pixels; `x` is a fraction of the width."""
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
    """Return a filled rectangle; `x` and `width` are fractions of the chart's width."""
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
    """Return a line across the chart."""
    return tag("line", x1="0", x2="100%", y1=y, y2=y, class_=css_class)


def vertical_line(x: float, top: float, bottom: float, css_class: str) -> Markup:
    """Return a line from `top` to `bottom`."""
    return tag("line", x1=percent(x), x2=percent(x), y1=top, y2=bottom, class_=css_class)


def anchor_at(x: float, margin: float = 0.05) -> Anchor:
    """Return the anchor with which a text at `x` stays within the chart."""
    return "start" if x < margin else "end" if x > 1 - margin else "middle"


def truncate(text: str, max_length: int) -> str:
    """Return a name from outside, shortened for small screens; the table has the complete one."""
    return text if len(text) <= max_length else text[: max_length - 1].rstrip() + "…"


KNOWN_CHANNELS = frozenset({"viber", "sms", "voice"})


def channel_css_class(channel: str) -> str:
    """Return the CSS class of a channel's colour."""
    name = channel.lower()
    return f"of-{name}" if name in KNOWN_CHANNELS else "of-other"


def channel_label(channel: str) -> str:
    """Return the display name of a channel."""
    return _channel_name(channel) or "Not known"
