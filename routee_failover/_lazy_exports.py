"""Lazy exports of a package: a public name is imported on first use, so that a program pays only for what it uses."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_exports(
    package: str, namespace: dict[str, Any], modules: Mapping[str, str]
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return the `__getattr__` and `__dir__` of a package.

    - `package`, `namespace`: its `__name__` and `globals()`; a name that was loaded is kept there.
    - `modules`: the submodule that defines each public name.
    """

    def load(name: str) -> Any:
        module = modules.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        namespace[name] = getattr(importlib.import_module(f"{package}.{module}"), name)
        return namespace[name]

    def list_names() -> list[str]:
        return [*namespace, *modules]

    return load, list_names
