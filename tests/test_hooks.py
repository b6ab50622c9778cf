"""Hooks that cannot work are refused when they are given; one that raises stops its message and is named."""

import asyncio
import functools
import gc
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any
from unittest.mock import AsyncMock

import aiohttp
import pytest

from routee_failover import (
    CallbackInbox,
    CallbackSigner,
    InvalidConfig,
    InvalidFlow,
    NotSent,
    Outcome,
    RouteeClient,
    Withdrawn,
)
from routee_failover.bulk import BulkSender, BulkSettings, rows_of
from routee_failover.events import AttemptEnded, CircuitBreakerChanged, Event, RetryScheduled
from routee_failover.ledger import MemoryLedger
from tests.client.fake_routee import FakeRoutee, always, config_for
from tests.client.rendered_errors import shown
from tests.client.sample_flows import CANARIES, otp, standard


async def _function(*_args: Any, **_kwargs: Any) -> bool:
    return False


async def _async_generator(*_args: Any) -> AsyncIterator[bool]:
    yield False


def _generator(*_args: Any) -> Iterator[bool]:
    yield False


class _Async:
    async def __call__(self, *_args: Any, **_kwargs: Any) -> bool:
        return False

    async def method(self, *_args: Any) -> bool:
        return False

    @classmethod
    async def class_method(cls, *_args: Any) -> bool:
        return False


ASYNC: dict[str, Any] = {
    "function": _function,
    "partial": functools.partial(_function, 1),
    "partial of a partial": functools.partial(functools.partial(_function), 1),
    "object": _Async(),
    "partial of an object": functools.partial(_Async(), 1),
    "method": _Async().method,
    "class method": _Async.class_method,
    "mock": AsyncMock(return_value=False),
    "async generator": _async_generator,
    "generator": _generator,
}
NOT_CALLABLE: dict[str, Any] = {"True": True, "text": "yes", "None in a list": [None]}


class _Observer:
    def __init__(self, observe: Any) -> None:
        self.observe = observe


class _Container:
    """Numbers whose `__contains__` is async."""

    async def __contains__(self, _number: str) -> bool:
        return False


def _client(**settings: Any) -> RouteeClient:
    return RouteeClient(config_for("http://127.0.0.1:1", **settings))


GIVEN: dict[str, Callable[[Any], object]] = {
    "Config(observers=)": lambda hook: config_for("http://127.0.0.1:1", observers=[_Observer(hook)]),
    "with_options(observers=)": lambda hook: _client().with_options(observers=[_Observer(hook)]),
    "Config(resolver=)": lambda hook: config_for("http://127.0.0.1:1", resolver=hook),
    "Config(connector_factory=)": lambda hook: config_for("http://127.0.0.1:1", connector_factory=hook),
    "Config(session_factory=)": lambda hook: config_for("http://127.0.0.1:1", session_factory=hook),
    "CallbackInbox(notify=)": lambda hook: CallbackInbox(notify=hook),
    "CallbackInbox(observers=)": lambda hook: CallbackInbox(observers=[_Observer(hook)]),
    "CallbackSigner(clock=)": lambda hook: CallbackSigner("k" * 32, base_url="https://x.example", clock=hook),
    "BulkSender(on_invalid_row=)": lambda hook: BulkSender(_client(), MemoryLedger(), on_invalid_row=hook),
    "rows_of(key=)": lambda hook: rows_of([standard()], key=hook),
}


@pytest.mark.parametrize("hook", ASYNC.values(), ids=ASYNC)
@pytest.mark.parametrize("give", GIVEN.values(), ids=GIVEN)
def test_async_hook_is_refused_when_it_is_given(give: Callable[[Any], object], hook: Any) -> None:
    """A hook that is called without `await` must not be async; the error says so at once."""
    with pytest.raises(InvalidConfig, match="must not be async: it is called without await"):
        give(hook)


@pytest.mark.parametrize("hook", NOT_CALLABLE.values(), ids=NOT_CALLABLE)
@pytest.mark.parametrize("give", GIVEN.values(), ids=GIVEN)
def test_hook_that_is_not_callable_is_refused_when_it_is_given(give: Callable[[Any], object], hook: Any) -> None:
    """A hook must be callable; the error says so at once."""
    with pytest.raises(InvalidConfig, match=r"must be a (function|callable)"):
        give(hook)


def test_class_in_the_place_of_an_observer_is_refused() -> None:
    """An observer is an object: of a class, `observe` could not be called."""
    with pytest.raises(InvalidConfig, match=r"must be objects with an observe\(event\) method"):
        config_for("http://127.0.0.1:1", observers=[_Observer])


def test_suppression_list_whose_contains_is_async_is_refused() -> None:
    """A suppression list is asked without `await`."""
    with pytest.raises(InvalidConfig, match="suppression_list must not be async"):
        BulkSettings(suppression_list=_Container())  # type: ignore[arg-type]


@pytest.mark.parametrize("hook", [*ASYNC.values(), *NOT_CALLABLE.values()], ids=[*ASYNC, *NOT_CALLABLE])
async def test_hook_of_a_call_that_cannot_work_is_refused_before_any_request(hook: Any) -> None:
    """`should_send` and `until` are refused as an argument of the call, and no request is made."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        with pytest.raises(InvalidFlow, match=r"^send: should_send: must (not be async|be a function, not)"):
            await client.send(standard(), should_send=hook)
        with pytest.raises(InvalidFlow, match=r"^wait: until: must (not be async|be a function, not)"):
            await client.wait("t-1", timeout=30, until=hook)
    assert (server.requests, server.token_requests) == ([], 0)


_RUNNING = always(200, {"trackingId": "t-1", "status": "Running"})


def _wraps_async(*args: Any) -> Any:
    return _function(*args)


async def test_hook_that_returns_an_awaitable_sends_nothing() -> None:
    """What cannot be seen when a hook is given, a function that returns a coroutine, stops the message and the wait."""
    with warnings.catch_warnings(record=True) as caught_warnings:
        warnings.simplefilter("always")
        async with FakeRoutee(_RUNNING) as server, RouteeClient(server.config()) as client:
            with pytest.raises(NotSent, match="should_send raised TypeError; nothing was sent") as caught:
                await client.send(standard(), should_send=_wraps_async)
            assert server.requests == []
            with pytest.raises(InvalidFlow, match="until: must not be async"):
                await client.wait("t-1", timeout=30, until=_wraps_async)
        gc.collect()
    assert "awaitable" in str(caught.value.__cause__)
    assert [str(each.message) for each in caught_warnings if "never awaited" in str(each.message)] == []


@pytest.mark.parametrize(("returned", "sent"), [(1, True), ("yes", True), (0, False), (None, False), ([], False)])
async def test_other_values_count_by_their_truth(returned: object, sent: bool) -> None:
    """Whatever else a hook returns counts as Python counts it."""
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        if sent:
            await client.send(standard(), should_send=lambda: returned)  # type: ignore[arg-type,return-value]
        else:
            with pytest.raises(Withdrawn):
                await client.send(standard(), should_send=lambda: returned)  # type: ignore[arg-type,return-value]
    assert len(server.requests) == sent


class _Recorder:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def observe(self, event: Event, /) -> None:
        self.events.append(event)


class _LeaseLost(Exception):
    pass


class _NoTruth:
    def __bool__(self) -> bool:
        raise _LeaseLost


def _raises() -> bool:
    raise _LeaseLost("the lease of row 7")


def _raises_cancelled() -> bool:
    raise asyncio.CancelledError


@pytest.mark.parametrize("session_factory", [None, aiohttp.ClientSession], ids=["connector", "session"])
@pytest.mark.parametrize(
    ("hook", "name"),
    [
        (_raises, "_LeaseLost"),
        (_NoTruth, "_LeaseLost"),
        (_raises_cancelled, "CancelledError"),
    ],
    ids=["raises", "no truth", "cancelled"],
)
async def test_should_send_that_raises_sends_nothing_and_is_named(hook: Any, name: str, session_factory: Any) -> None:
    """A hook that raises stops the message: the error says so, has it as its cause, and nothing is tried again."""
    recorder = _Recorder()
    async with FakeRoutee() as server:
        config = server.config(observers=[recorder], session_factory=session_factory)
        async with RouteeClient(config) as client:
            for _ in range(25):  # more than open the circuit breaker
                with pytest.raises(NotSent, match=rf"^should_send raised {name}; nothing was sent$") as caught:
                    await client.send(otp(), should_send=hook)
                assert type(caught.value) is NotSent
                assert caught.value.outcome is Outcome.NOT_SENT
                assert type(caught.value.__cause__).__name__ == name
            assert server.requests == []
            await client.send(standard())
    assert len(server.requests) == 1
    kinds = [type(event) for event in recorder.events]
    assert RetryScheduled not in kinds
    assert CircuitBreakerChanged not in kinds
    ended = [event for event in recorder.events if isinstance(event, AttemptEnded) and event.request_id]
    assert len(ended) == 26
    assert not any(canary in shown(caught.value) for canary in CANARIES)


async def test_should_send_that_raises_in_a_later_attempt_ends_the_send() -> None:
    """A hook that raises before a retry ends the send: the attempt before it was rejected."""
    answers = [True]

    def should_send() -> bool:
        return answers.pop()

    async with FakeRoutee(always(429, {}, Retry_After="0")) as server, RouteeClient(server.config()) as client:
        with pytest.raises(NotSent, match="should_send raised IndexError"):
            await client.send(standard(), should_send=should_send)
    assert len(server.requests) == 1


async def test_until_that_raises_is_raised_as_it_is() -> None:
    """The error of `until` is the caller's own, and is raised unchanged."""
    async with FakeRoutee(_RUNNING) as server, RouteeClient(server.config()) as client:
        with pytest.raises(_LeaseLost):
            await client.wait("t-1", timeout=30, until=lambda _record: _raises())


async def test_plain_hooks_of_every_shape_are_accepted() -> None:
    """Functions, lambdas, partials, methods, objects and classes that are not async are hooks."""
    hooks: list[Any] = [
        functools.partial(bool, 1),
        lambda: True,
        _Yes(),
        _Yes().method,
        functools.partial(_Yes()),
        _Yes.static,
    ]
    async with FakeRoutee() as server, RouteeClient(server.config()) as client:
        for hook in hooks:
            await client.send(standard(), should_send=hook)
    assert len(server.requests) == len(hooks)


class _Yes:
    def __call__(self) -> bool:
        return True

    def method(self) -> bool:
        return True

    @staticmethod
    def static() -> bool:
        return True
