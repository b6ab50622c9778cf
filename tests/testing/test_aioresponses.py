"""The aioresponses of a mock: it works with the installed aiohttp for any session, whatever a test registers."""

from typing import Any

import aiohttp
import pytest
from aioresponses import CallbackResult

from routee_failover._aioresponses import MockedResponse
from routee_failover.testing import RouteeMock

URL = "https://shop.example/orders/1"


async def _get() -> bytes:
    async with aiohttp.ClientSession() as session, session.get(URL) as response:
        return await response.read()


async def test_other_service_is_mocked_by_the_same_object() -> None:
    """Any session of the program is served, with headers, status and JSON as they were registered."""
    with RouteeMock() as routee:
        routee.aioresponses.get(URL, status=201, payload={"order": 1}, headers={"X-Shop": "yes"})
        async with aiohttp.ClientSession() as session, session.get(URL) as response:
            assert (response.status, response.headers["X-Shop"], await response.json()) == (201, "yes", {"order": 1})


async def test_unregistered_url_of_another_service_is_refused() -> None:
    """Only Routee's own APIs respond by default."""
    with RouteeMock(), pytest.raises(aiohttp.ClientConnectionError, match="Connection refused"):
        await _get()


@pytest.mark.parametrize("size", [0, 64 * 1024, 128 * 1024, 128 * 1024 + 1, 5 * 1024 * 1024])
async def test_body_of_any_size_is_read(size: int) -> None:
    """A body is read whole, whether at once or in chunks, although no connection can be paused."""
    with RouteeMock() as routee:
        routee.aioresponses.get(URL, body=b"x" * size, repeat=True)
        assert await _get() == b"x" * size
        async with aiohttp.ClientSession() as session, session.get(URL) as response:
            assert b"".join([chunk async for chunk in response.content.iter_chunked(1000)]) == b"x" * size


async def _respond_later(url: object, **options: Any) -> CallbackResult:
    return CallbackResult(payload={"from": "callback"})


def _respond_at_once(url: object, **options: Any) -> CallbackResult:
    return CallbackResult(payload={"from": "callback"})


def _leave_it(url: object, **options: Any) -> None:
    return None


@pytest.mark.parametrize(
    ("callback", "body"),
    [
        (_respond_later, b'{"from": "callback"}'),
        (_respond_at_once, b'{"from": "callback"}'),
        (_leave_it, b"registered"),
    ],
)
async def test_callback_may_respond(callback: Any, body: bytes) -> None:
    """A callback, async or not, makes the response, or leaves it to what was registered."""
    with RouteeMock() as routee:
        routee.aioresponses.get(URL, callback=callback, body="registered")
        assert await _get() == body


async def test_response_class_of_a_test_is_used() -> None:
    """A class that a test passes itself is not replaced."""

    class Own(MockedResponse):
        """A class of the test."""

    with RouteeMock() as routee:
        routee.aioresponses.get(URL, response_class=Own)
        async with aiohttp.ClientSession() as session, session.get(URL) as response:
            assert type(response) is Own
