"""Pytest plugin: fixtures with a sandbox for each test, a client for it, and the inbox of its recipients; or a mock.

pytest finds it by its entry point where this package is installed. The fixtures are not async: the sandbox runs in its
own thread, and the mock runs nothing, so they serve tests with pytest-asyncio in either mode, with anyio, and without
async. Nothing heavy is imported before a test requests one of them.
"""

import inspect
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .client import RouteeClient
    from .sandbox import Inbox, Sandbox
    from .testing import RouteeMock

_MARKER = "routee_sandbox"
_THIS_MACHINE = ("http://127.0.0.1", "http://localhost", "http://[::1]")
_SPEED = 60.0  # virtual seconds per real second: waits are short, and a ttl is still long compared with a test


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers", f"{_MARKER}(**settings): settings of `Sandbox` for this test, such as speed=0 to freeze its clock"
    )


@pytest.fixture
def routee_sandbox_settings() -> Mapping[str, Any]:
    """Return the settings of `Sandbox`: override this fixture in a module or conftest to change them for its tests."""
    return {}


@pytest.fixture
def routee_sandbox(request: pytest.FixtureRequest, routee_sandbox_settings: Mapping[str, Any]) -> "Iterator[Sandbox]":
    """Yield a running `Sandbox` on a free port, for one test; its clock runs 60 times as fast as real time.

    Its settings are those of `routee_sandbox_settings`, then those of `@pytest.mark.routee_sandbox(...)` on the test.
    """
    from .sandbox import Sandbox, SandboxError  # noqa: PLC0415  # heavy, and possibly not installed

    settings = {"speed": _SPEED, **routee_sandbox_settings}
    for marker in reversed(list(request.node.iter_markers(_MARKER))):  # the closest one wins
        if marker.args:
            pytest.fail(f"@pytest.mark.{_MARKER} takes keyword arguments, such as speed=0", pytrace=False)
        settings |= marker.kwargs
    known = list(inspect.signature(Sandbox).parameters)
    for name in settings:
        if name not in known:
            reason = f"there is no setting {name!r}; the settings are {', '.join(known)}"
            pytest.fail(f"the Routee sandbox cannot start: {reason}", pytrace=False)
    with ExitStack() as stack:
        try:
            sandbox = stack.enter_context(Sandbox(**settings))
        except (SandboxError, TypeError) as error:
            raise pytest.fail.Exception(f"the Routee sandbox cannot start: {error}", pytrace=False) from None
        yield sandbox


@pytest.fixture
def routee_client(routee_sandbox: "Sandbox") -> "RouteeClient":
    """Return a `RouteeClient` for the test's sandbox. Its connections close with the event loop that used them."""
    from .client import RouteeClient  # noqa: PLC0415

    return RouteeClient(routee_sandbox.config())


@pytest.fixture
def routee_inbox(routee_sandbox: "Sandbox") -> "Inbox":
    """Return the inbox of the test's sandbox: `await routee_inbox.pin_for("+30...")`."""
    return routee_sandbox.inbox


@pytest.fixture
def routee_mock() -> "Iterator[RouteeMock]":
    """Yield a `RouteeMock` for one test, which needs neither a sandbox nor a network.

    Requests to this machine are sent, so that a service under test can be reached.
    """
    from .testing import RouteeMock, RouteeMockError  # noqa: PLC0415  # heavy, and possibly not installed

    try:
        mock = RouteeMock(passthrough=_THIS_MACHINE)
    except RouteeMockError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    with mock:
        yield mock
