"""Store interface, to which the sandbox saves flows, callbacks, rules, settings and its clock; and the memory store."""

from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Store(Protocol):
    """Values by kind and key, in the order in which each was first saved.

    A value is JSON, or an attrs class that `serialization` can write. It is serialized during the call. Saving never
    waits; `flush` does, and the sandbox sends no response before the changes that it reports are saved.
    """

    def load(self, kind: str, type_: type[T]) -> list[T]:
        """Return the values of this kind. Raises `SandboxError` for a value that cannot be read as that type."""
        ...

    def save(self, kind: str, key: str, value: Any) -> None:
        """Save a value, replacing the one of the same kind and key."""
        ...

    def delete(self, kind: str, key: str) -> None:
        """Delete a value; do nothing when there is none."""
        ...

    def clear(self, kind: str) -> None:
        """Delete all values of this kind."""
        ...

    async def flush(self) -> None:
        """Wait until everything that was saved so far would survive the end of this process."""
        ...

    def start(self) -> None:
        """Start writing, in the running loop. Raises `SandboxError` when writing fails now."""
        ...

    def save_clock(self) -> None:
        """Save the reading of the clock, although no value changed."""
        ...

    def close(self) -> None:
        """Write what is pending, and close the store."""
        ...

    @property
    def failure(self) -> str | None:
        """Reason why nothing is saved any more, or None."""
        ...


class MemoryStore:
    """Store that saves nothing: the sandbox's own memory is all there is."""

    def load(self, kind: str, type_: type[T]) -> list[T]:
        """Return an empty list."""
        del kind, type_
        return []

    def save(self, kind: str, key: str, value: Any) -> None:
        """Do nothing."""

    def delete(self, kind: str, key: str) -> None:
        """Do nothing."""

    def clear(self, kind: str) -> None:
        """Do nothing."""

    async def flush(self) -> None:
        """Return at once."""

    def start(self) -> None:
        """Do nothing."""

    def save_clock(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    @property
    def failure(self) -> str | None:
        """Always None: nothing can fail."""
        return None
