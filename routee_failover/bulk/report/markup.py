"""HTML and SVG builder that escapes by construction: only what this module has made counts as markup."""

import html
from typing import final


@final
class Markup(str):
    """Text that is already escaped."""

    __slots__ = ()


Child = str | None
"""Content of an element: a text, markup from `tag`, or `None` for nothing."""

_VOID_ELEMENTS = frozenset({"br", "meta", "rect", "line", "path", "circle"})


def tag(name: str, *children: Child, **attributes: str | float | None) -> Markup:
    """Return an element; texts and attributes are escaped. `class_` becomes `class`, `aria_label` `aria-label`."""
    attribute_text = "".join(
        f' {_attribute_name(attribute)}="{html.escape(_attribute_value(value))}"'
        for attribute, value in attributes.items()
        if value is not None
    )
    if name in _VOID_ELEMENTS and not children:
        return Markup(
            f"<{name}{attribute_text}/>" if name in {"rect", "line", "path", "circle"} else f"<{name}{attribute_text}>"
        )
    return Markup(f"<{name}{attribute_text}>{join_markup(*children)}</{name}>")


def join_markup(*children: Child) -> Markup:
    """Return the concatenated markup; texts are escaped."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else html.escape(child, quote=False)
            for child in children
            if child is not None
        )
    )


def _attribute_name(attribute: str) -> str:
    # SVG's own attribute names are camelCase, without hyphens.
    return attribute.rstrip("_").replace("_", "-")


def _attribute_value(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")


def percent(fraction: float) -> str:
    """Return an SVG length in percent of the width."""
    return f"{100 * fraction:.3f}".rstrip("0").rstrip(".") + "%"
