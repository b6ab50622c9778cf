"""Failures of this process: named as what they are, chained without secrets, and not taken for an outage of Routee."""

import contextlib
import errno
import os
import pickle
import resource
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from routee_failover import (
    ConnectFailed,
    DeliveryUnknown,
    NoResponse,
    NotSent,
    Outcome,
    RouteeClient,
    TokenUnavailable,
)
from routee_failover._transport import aiohttp_api
from routee_failover.events import AttemptEnded, CircuitBreakerChanged, Event
from routee_failover.outcomes import AttemptResult
from routee_failover.secret import safe_copy
from tests.client.fake_routee import FakeRoutee, ReceivedRequest, accepted_response
from tests.client.rendered_errors import shown
from tests.client.sample_flows import CANARIES, PHONE, PIN, otp, standard

pytestmark = pytest.mark.usefixtures("no_jitter")

SESSIONS = pytest.mark.parametrize("session_factory", [None, aiohttp.ClientSession], ids=["connector", "session"])
MANY = 25
"""Sends; twenty failures open the circuit breaker."""


class _Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def observe(self, event: Event, /) -> None:
        self.events.append(event)

    def opened(self) -> bool:
        return any(isinstance(event, CircuitBreakerChanged) for event in self.events)


@contextlib.contextmanager
def _no_descriptor_left() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    held: list[int] = []
    try:
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (max(int(path.name) for path in Path("/proc/self/fd").iterdir()) + 8, hard)
        )
        with contextlib.suppress(OSError):
            while True:
                held.append(os.dup(0))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in held:
            os.close(descriptor)


async def _accept_and_close(_request: ReceivedRequest) -> web.StreamResponse:
    response = accepted_response()
    response.force_close()
    return response


@SESSIONS
async def test_process_without_descriptors_is_named_and_opens_no_circuit(session_factory: Any) -> None:
    """Without a file descriptor left, the error says so and how to help; the circuit breaker stays closed."""
    recorder = _Recorder()
    async with FakeRoutee(_accept_and_close) as server:
        config = server.config(observers=[recorder], session_factory=session_factory, max_attempts=1)
        async with RouteeClient(config) as client:
            await client.send(standard())
            with _no_descriptor_left():
                for _ in range(MANY):
                    with pytest.raises(ConnectFailed, match="this process has no file descriptor left") as caught:
                        await client.send(standard())
                with pytest.raises(ConnectFailed, match="no file descriptor left") as read:
                    await client.track("t-1")
            await client.send(standard())
    assert len(server.requests) == 2
    assert not recorder.opened()
    assert "nothing was sent" in str(caught.value)
    assert isinstance(caught.value.__cause__, OSError)
    assert isinstance(read.value.__cause__, OSError)


async def test_token_request_without_descriptors_is_named() -> None:
    """The error of a token that could not be requested names the descriptors as well."""
    async with FakeRoutee() as server, RouteeClient(server.config(max_attempts=1)) as client:
        with _no_descriptor_left(), pytest.raises(TokenUnavailable, match="no file descriptor left") as caught:
            await client.send(standard())
    assert isinstance(caught.value.__cause__, OSError)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM], ids=errno.errorcode.get)
async def test_exhausted_resource_in_name_resolution_is_named(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host name that cannot be resolved for want of a resource of this machine is not called unknown."""

    def resolve(*_args: Any, **_named: Any) -> Any:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    recorder = _Recorder()
    url = "http://routee.localhost:9"
    async with FakeRoutee() as server:
        config = server.config(api_url=url, observers=[recorder], max_attempts=1)
        async with RouteeClient(config) as client:
            for _ in range(MANY):
                with pytest.raises(NotSent, match="left"):
                    await client.send(standard())
    assert not recorder.opened()


async def test_resolver_that_reports_a_silent_name_server_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """The C library reports a missing descriptor as a name server that did not answer: what is missing is found out."""

    def resolve(*_args: Any, **_named: Any) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    async with FakeRoutee() as server:
        config = server.config(api_url="http://routee.localhost:9", max_attempts=1)
        async with RouteeClient(config) as client:
            monkeypatch.setattr(socket, "getaddrinfo", resolve)
            with pytest.raises(ConnectFailed, match=r"the host name routee\.localhost could not be resolved"):
                await client.send(standard())
            with _no_descriptor_left(), pytest.raises(ConnectFailed, match="no file descriptor left"):
                await client.send(standard())


class _BrokenConnector(aiohttp.TCPConnector):
    """A connector that fails as an aiohttp of another version would, and quotes what it was given."""

    async def connect(self, *_args: Any, **_named: Any) -> Any:
        body = f"{PIN} {PHONE}"
        raise TypeError(f"connect() got an unexpected keyword argument 'stream_writer' ({body})")


@SESSIONS
async def test_unexpected_exception_before_the_first_byte_is_told_as_it_is(session_factory: Any) -> None:
    """A TypeError inside aiohttp is named, chained without secrets, and opens no circuit; nothing was sent."""
    recorder = _Recorder()
    async with FakeRoutee() as server:
        async with RouteeClient(server.config()) as warm:
            await warm.send(standard())
        config = server.config(
            observers=[recorder], session_factory=session_factory, connector_factory=_BrokenConnector, max_attempts=1
        )
        async with RouteeClient(config) as client:
            for _ in range(MANY):
                with pytest.raises(TokenUnavailable, match="an unexpected TypeError was raised") as caught:
                    await client.send(otp())
        assert len(server.requests) == 1
    assert not recorder.opened()
    _assert_told(caught.value)


@pytest.mark.parametrize("outcome", [Outcome.NOT_SENT, Outcome.UNKNOWN])
async def test_unexpected_exception_of_a_send_or_read_call_has_its_cause(
    outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the first byte nothing was sent, after it the outcome is unknown; both chain the exception itself."""

    def fail(*_args: Any, **_named: Any) -> Any:
        body = f"{PIN} {PHONE} token-1 {CANARIES[0]}"
        raise TypeError(f"connect() got an unexpected keyword argument 'stream_writer' ({body})")

    recorder = _Recorder()
    async with FakeRoutee() as server, RouteeClient(server.config(max_attempts=1, observers=[recorder])) as client:
        await client.send(standard())
        name = "start_response" if outcome is Outcome.NOT_SENT else "read_head"
        monkeypatch.setattr(aiohttp_api, name, fail)
        expected = ConnectFailed if outcome is Outcome.NOT_SENT else DeliveryUnknown
        for _ in range(MANY):
            with pytest.raises(expected, match="an unexpected TypeError was raised in this process") as caught:
                await client.send(otp())
        with pytest.raises(ConnectFailed if outcome is Outcome.NOT_SENT else NoResponse) as read:
            await client.track("t-1")
    assert caught.value.outcome is outcome
    assert not recorder.opened()
    _assert_told(caught.value)
    _assert_told(read.value)
    ended = [event for event in recorder.events if isinstance(event, AttemptEnded)]
    assert ended[-1].result.cause is None
    assert pickle.loads(pickle.dumps(ended[-1])) == ended[-1]


def _assert_told(error: BaseException) -> None:
    cause = error.__cause__
    assert type(cause) is TypeError
    assert "unexpected keyword argument 'stream_writer'" in str(cause)
    (note,) = cause.__notes__
    assert __file__ in note
    assert " in " in note
    text = shown(error)
    assert not any(canary in text for canary in (*CANARIES, "token-1", "canary-key"))


class _Quoting(Exception):
    def __init__(self, body: str) -> None:
        super().__init__(body)
        self.body = body


def _undecodable() -> Exception:
    try:
        "\ud800".encode()
    except UnicodeEncodeError as error:
        return error
    raise AssertionError


def _without_attribute() -> Exception:
    try:
        PIN.no_such_method()  # type: ignore[attr-defined]
    except AttributeError as error:
        return error
    raise AssertionError


COPIED: list[tuple[Exception, type[Exception], str]] = [
    (TypeError("no argument x"), TypeError, "no argument x"),
    (TypeError(f"{PIN} of {PHONE}"), TypeError, "**** of +****"),
    (TypeError("spaced 7391 64 and 73-91-64"), TypeError, "spaced **** and ****"),
    (ValueError("a", "b"), ValueError, "('a', 'b')"),
    (KeyError("x"), KeyError, "x"),
    (_Quoting("Bearer token-1"), Exception, "_Quoting: Bearer ****"),
    (ExceptionGroup("several", [TypeError(PIN)]), Exception, "ExceptionGroup: several"),
    (_undecodable(), UnicodeError, "UnicodeEncodeError: "),
    (_without_attribute(), AttributeError, "has no attribute 'no_such_method'"),
    (OSError(errno.EMFILE, "Too many open files"), OSError, "Too many open files"),
    (TypeError("x" * 5000), TypeError, "x" * 300),
    (TypeError(), TypeError, ""),
]


@pytest.mark.parametrize(("error", "kind", "text"), COPIED, ids=range(len(COPIED)))
def test_copy_of_an_exception_has_its_kind_and_text_alone(error: Exception, kind: type[Exception], text: str) -> None:
    """The copy is of the nearest built-in class, with secrets and numbers masked, and holds no attribute or frame."""
    copy = safe_copy(error, ["token-1", ""])
    assert type(copy) is kind
    assert text in str(copy)
    assert len(str(copy)) < 400
    assert PIN not in shown(copy)
    assert vars(copy).keys() <= {"__notes__"}
    assert getattr(copy, "obj", None) is copy.__traceback__ is None
    again = safe_copy(copy, ["argument"])
    assert "argument" not in str(again)
    assert getattr(again, "__notes__", None) == getattr(copy, "__notes__", None)


def test_result_with_a_cause_shows_it_nowhere() -> None:
    """The cause of a result is in neither its repr nor its hash."""
    result = AttemptResult(False, reason="r", cause=TypeError("canary"))
    assert "canary" not in repr(result)
    assert hash(result) == hash(AttemptResult(False, reason="r"))
