"""What a store promises to those who remember things: flows, rules, callbacks, the clock."""

from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Store(Protocol):
    """Values by kind and key, in the order in which each was first saved.

    A value is JSON, or an attrs class of parts that `documents` can write. It is taken as it is at the call. Saving
    never waits; `settled` does, and no answer leaves the sandbox before what it tells of is safe.
    """

    def load(self, kind: str, type_: type[T]) -> list[T]:
        """What was saved before this sandbox started. Raises `SandboxError` for what cannot be read as that type."""
        ...

    def save(self, kind: str, key: str, value: Any) -> None:
        """Keep a value, in the place of what had its kind and key."""
        ...

    def delete(self, kind: str, key: str) -> None:
        """Let go of a value; nothing happens when there is none."""
        ...

    def clear(self, kind: str) -> None:
        """Let go of everything of that kind."""
        ...

    async def flush(self) -> None:
        """Come back when everything that was saved up to now would survive the end of this process."""
        ...

    def start(self) -> None:
        """Write what is saved, from now on, in the running loop. Raises `SandboxError` when it cannot write now."""
        ...

    def save_clock(self) -> None:
        """Keep how far the clock has come, though nothing is saved."""
        ...

    def close(self) -> None:
        """Write what is left, and let go of everything."""
        ...

    @property
    def failure(self) -> str | None:
        """Why nothing is kept any more; None while all is well."""
        ...


class MemoryStore:
    """Keeps nothing beyond the memory of those who use it."""

    def load(self, kind: str, type_: type[T]) -> list[T]:
        """There is nothing from before."""
        del kind, type_
        return []

    def save(self, kind: str, key: str, value: Any) -> None:
        """Nothing is done."""

    def delete(self, kind: str, key: str) -> None:
        """Nothing is done."""

    def clear(self, kind: str) -> None:
        """Nothing is done."""

    async def flush(self) -> None:
        """At once."""

    def start(self) -> None:
        """Nothing is done."""

    def save_clock(self) -> None:
        """Nothing is done."""

    def close(self) -> None:
        """Nothing is done."""

    @property
    def failure(self) -> str | None:
        """Nothing can fail."""
        return None
