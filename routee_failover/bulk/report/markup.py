"""Markup in which every text is escaped by construction: only what this module has made counts as markup."""

import html
from typing import final


@final
class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child = str | None
"""A piece of content: text, or what `tag` gave. `None` is nothing."""

_VOID_ELEMENTS = frozenset({"br", "meta", "rect", "line", "path", "circle"})


def tag(name: str, *children: Child, **attributes: str | float | None) -> Markup:
    """An element. Texts in it are escaped, and attributes: `class_` is written `class`, `aria_label` `aria-label`."""
    written = "".join(
        f' {_attribute_name(attribute)}="{html.escape(_attribute_value(value))}"'
        for attribute, value in attributes.items()
        if value is not None
    )
    if name in _VOID_ELEMENTS and not children:
        return Markup(f"<{name}{written}/>" if name in {"rect", "line", "path", "circle"} else f"<{name}{written}>")
    return Markup(f"<{name}{written}>{join_markup(*children)}</{name}>")


def join_markup(*children: Child) -> Markup:
    """One after the other."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else html.escape(child, quote=False)
            for child in children
            if child is not None
        )
    )


def _attribute_name(attribute: str) -> str:
    # SVG's own names have capitals and no hyphens.
    return attribute.rstrip("_").replace("_", "-")


def _attribute_value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def percent(fraction: float) -> str:
    """A length of a drawing, in hundredths of its width."""
    return f"{100 * fraction:.3f}".rstrip("0").rstrip(".") + "%"
