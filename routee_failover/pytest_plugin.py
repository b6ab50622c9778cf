"""Fixtures for pytest: a Routee of its own for each test, a client for it, and the phones that its messages reach.

pytest finds them by itself where this package is installed. They are plain fixtures around a sandbox in a thread of its
own, so they serve tests of every kind: with pytest-asyncio in either mode, with anyio, or not async at all. Nothing is
imported before a test asks for one of them.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .client import RouteeClient
    from .sandbox import Inbox, Sandbox

_MARKER = "routee_sandbox"
_SPEED = 60.0  # a minute in a second: what a program waits for comes soon, and a ttl is still long beside a test


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known."""
    config.addinivalue_line(
        "markers", f"{_MARKER}(**settings): settings of `Sandbox` for this test, such as speed=0 to freeze its clock"
    )


@pytest.fixture
def routee_sandbox_settings() -> Mapping[str, Any]:
    """Settings of `Sandbox` for all tests that see it: override this fixture to change them."""
    return {}


@pytest.fixture
def routee_sandbox(request: pytest.FixtureRequest, routee_sandbox_settings: Mapping[str, Any]) -> "Iterator[Sandbox]":
    """A running `Sandbox` on a free port, which nothing else uses; its clock runs 60 times as fast as real time.

    Its settings are those of `routee_sandbox_settings`, and of `@pytest.mark.routee_sandbox(...)` on the test.
    """
    from .sandbox import Sandbox, SandboxError  # noqa: PLC0415  # heavy, and perhaps not installed

    settings = {"speed": _SPEED, **routee_sandbox_settings}
    for marker in reversed(list(request.node.iter_markers(_MARKER))):  # the closest one wins
        if marker.args:
            pytest.fail(f"@pytest.mark.{_MARKER} takes settings by name, such as speed=0", pytrace=False)
        settings |= marker.kwargs
    known = list(inspect.signature(Sandbox).parameters)
    for name in settings:
        if name not in known:
            why = f"it has no setting {name!r}; it has {', '.join(known)}"
            pytest.fail(f"the Routee sandbox cannot start: {why}", pytrace=False)
    with ExitStack() as stack:
        try:
            sandbox = stack.enter_context(Sandbox(**settings))
        except (SandboxError, TypeError) as error:
            raise pytest.fail.Exception(f"the Routee sandbox cannot start: {error}", pytrace=False) from None
        yield sandbox


@pytest.fixture
def routee_client(routee_sandbox: "Sandbox") -> "RouteeClient":
    """A `RouteeClient` for the test's sandbox. Its connections close when the event loop that used them ends."""
    from .client import RouteeClient  # noqa: PLC0415

    return RouteeClient(routee_sandbox.config())


@pytest.fixture
def routee_inbox(routee_sandbox: "Sandbox") -> "Inbox":
    """The phones of the people whom the test's sandbox is sent messages for: `await routee_inbox.pin_for("+30...")`."""
    return routee_sandbox.inbox
