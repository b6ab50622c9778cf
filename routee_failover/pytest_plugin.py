"""Pytest plugin: fixtures for a sandbox per test, a client for it, and the inbox of its recipients.

pytest loads the plugin automatically if this package is installed. The fixtures are synchronous and run the sandbox in
a thread of its own, so that they work with any test: pytest-asyncio in either mode, anyio, or not async at all. Nothing
is imported before a test requests one of them.
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
_SPEED = 60.0  # a minute per second: delivery reports come soon, and a ttl is still long compared to a test


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", f"{_MARKER}(**settings): settings of `Sandbox` for this test, such as speed=0 to freeze its clock"
    )


@pytest.fixture
def routee_sandbox_settings() -> Mapping[str, Any]:
    """Settings of `Sandbox`, by name; override this fixture in a module, class or conftest to change them."""
    return {}


@pytest.fixture
def routee_sandbox(request: pytest.FixtureRequest, routee_sandbox_settings: Mapping[str, Any]) -> "Iterator[Sandbox]":
    """A running `Sandbox` on a free port, for this test only; its clock runs 60 times as fast as real time.

    Its settings come from `routee_sandbox_settings` and from `@pytest.mark.routee_sandbox(...)`; the closest marker
    wins.
    """
    from .sandbox import Sandbox, SandboxError  # noqa: PLC0415  # slow to import, and its extra may not be installed

    settings = {"speed": _SPEED, **routee_sandbox_settings}
    for marker in reversed(list(request.node.iter_markers(_MARKER))):  # the closest marker wins
        if marker.args:
            pytest.fail(f"@pytest.mark.{_MARKER} takes settings by name, such as speed=0", pytrace=False)
        settings |= marker.kwargs
    known = list(inspect.signature(Sandbox).parameters)
    for name in settings:
        if name not in known:
            reason = f"it has no setting {name!r}; it has {', '.join(known)}"
            pytest.fail(f"the Routee sandbox cannot start: {reason}", pytrace=False)
    with ExitStack() as stack:
        try:
            sandbox = stack.enter_context(Sandbox(**settings))
        except (SandboxError, TypeError) as error:
            raise pytest.fail.Exception(f"the Routee sandbox cannot start: {error}", pytrace=False) from None
        yield sandbox


@pytest.fixture
def routee_client(routee_sandbox: "Sandbox") -> "RouteeClient":
    """A `RouteeClient` for the sandbox of the test. Its connections close when the event loop that used them ends."""
    from .client import RouteeClient  # noqa: PLC0415

    return RouteeClient(routee_sandbox.config())


@pytest.fixture
def routee_inbox(routee_sandbox: "Sandbox") -> "Inbox":
    """The `Inbox` of the test's sandbox, which holds delivered messages: `await routee_inbox.pin_for("+30...")`."""
    return routee_sandbox.inbox
