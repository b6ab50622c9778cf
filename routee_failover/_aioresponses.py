"""aioresponses on aiohttp 3.14: it builds every response, bodies of any size, and shows each request to a hook.

aioresponses 0.7.9 builds a response as aiohttp 3.13 did: without `stream_writer`, which is a `TypeError` now. And the
stream of the body belongs to a connection without a parser, which a body of more than 128 KiB tries to pause: an
`AssertionError`. Separate from `testing`, because this module cannot be imported without aioresponses.
"""

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
from aioresponses import CallbackResult, aioresponses
from yarl import URL

from ._transport.session_executor import TRACE

DefaultResponse = Callable[[], Mapping[str, Any]]
"""Function that returns a response as the keyword arguments of `aioresponses.add`."""
OnRequest = Callable[[str, URL, Mapping[str, Any]], Awaitable[DefaultResponse | None]]
"""Function of method, URL and keyword arguments of a request. It returns the response if none is registered for it."""

_NOTHING_WRITTEN = SimpleNamespace(output_size=0)


class MockedResponse(aiohttp.ClientResponse):
    """Response of a session that aioresponses replaces, with the arguments and the stream that aiohttp 3.14 expects."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"stream_writer": _NOTHING_WRITTEN} | kwargs)

    @property
    def content(self) -> aiohttp.StreamReader:
        """Stream of the body."""
        return self._content

    @content.setter
    def content(self, stream: aiohttp.StreamReader) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Set the stream, without a limit above which it would pause a connection."""
        stream.set_read_chunk_size(sys.maxsize)
        self._content = stream


class CompleteAioresponses(aioresponses):
    """An `aioresponses` whose responses are `MockedResponse`s, and that shows each request to `on_request` first."""

    def __init__(self, on_request: OnRequest, **options: Any) -> None:
        super().__init__(**options)
        self._on_request = on_request

    def add(self, url: Any, *args: Any, **options: Any) -> None:
        """Register a response, as `aioresponses.add` does; without a `response_class` it is a `MockedResponse`."""
        options["response_class"] = options.get("response_class") or MockedResponse
        if options.get("callback") is not None:
            options["callback"] = _completed(options["callback"])
        super().add(url, *args, **options)

    async def match(
        self, method: str, url: URL, allow_redirects: bool = True, **kwargs: Any
    ) -> aiohttp.ClientResponse | None:
        """Return the registered response, or that of `on_request`, or `None`. Raises a registered exception."""
        default_response = await self._on_request(method, url, kwargs)
        hooks = _Hooks(method, url, kwargs.get("trace_request_ctx"))
        await hooks.start()
        try:
            response = await super().match(method, url, allow_redirects, **kwargs)
            if response is None and default_response is not None:
                self.add(url, method, **default_response())
                response = await super().match(method, url, allow_redirects, **kwargs)
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
            raise  # there was no connection
        except Exception:
            await hooks.send()
            raise
        await hooks.send()
        return response


class _Hooks:
    """The hooks of a request that aiohttp would call: by them a client knows what can have been sent."""

    def __init__(self, method: str, url: URL, context: object) -> None:
        self._context = SimpleNamespace(trace_request_ctx=context)
        self._params: Any = SimpleNamespace(method=method, url=url)

    async def start(self) -> None:
        await self._call(TRACE.on_request_start)

    async def send(self) -> None:
        await self._call(TRACE.on_connection_create_end)
        await self._call(TRACE.on_request_headers_sent)

    async def _call(self, hooks: Any) -> None:
        for hook in hooks if self._context.trace_request_ctx is not None else ():
            await hook(None, self._context, self._params)


def _completed(callback: Callable[..., Any]) -> Callable[..., Awaitable[CallbackResult | None]]:
    """Return a callback whose result has a `response_class`."""

    @functools.wraps(callback)
    async def call(*args: Any, **kwargs: Any) -> CallbackResult | None:
        returned = callback(*args, **kwargs)
        result: CallbackResult | None = await returned if inspect.isawaitable(returned) else returned
        if result is not None:
            result.response_class = result.response_class or MockedResponse
        return result

    return call
