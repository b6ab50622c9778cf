"""Routee for unit tests: a client sends, aioresponses answers, and the test reads what was sent.

    with RouteeMock() as routee:
        await routee.client().send(flow)
        assert routee.sent[0].flow == flow

Nothing leaves the process. `routee_failover.sandbox` runs the whole API instead: deliveries, callbacks and an inbox.
"""

import itertools
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self
from unittest.mock import InvalidSpecError  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]

import aiohttp
import attrs
from multidict import CIMultiDict, CIMultiDictProxy
from yarl import URL

from ._value_object import ValueObject
from ._wire import load_flow
from ._wire.json_codec import decode
from ._wire.routes import ROUTES
from .client import RouteeClient
from .config import API_URL, AUTH_URL, Config
from .errors import RouteeError
from .flows import Endpoint, ValidatedFlow

if TYPE_CHECKING:
    from aioresponses import aioresponses as _aioresponses

    from ._aioresponses import DefaultResponse

__all__ = ["RouteeMock", "RouteeMockError", "SentRequest"]

_TOKEN_PATH = "/oauth/token"  # noqa: S105  # a path


class RouteeMockError(RouteeError):
    """A `RouteeMock` cannot do what was requested: aioresponses is missing, or another mock is active, for example."""


@attrs.frozen(kw_only=True, slots=False, eq=False, repr=False)
class SentRequest(ValueObject):
    """One attempt to send a flow, as it would have gone to Routee; a retry is another one."""

    endpoint: Endpoint
    """The send API."""
    path: str
    """Path of the URL, `/failover` for example."""
    headers: Mapping[str, str] = attrs.field(repr=False, hash=False)
    """Headers without `Authorization`; the case of their names does not matter."""
    body: bytes = attrs.field(repr=lambda body: f"<{len(body)} bytes>")
    """Body, not shown in the repr: it holds the text and the PIN."""

    @property
    def json(self) -> Any:
        """The body as JSON, in Routee's names. Raises `ValueError` if it is not JSON."""
        return decode(self.body)

    @property
    def flow(self) -> ValidatedFlow:
        """The flow that was sent, equal to the one that the program built, but for ttls that a deadline has shortened.

        Raises `InvalidFlow` for a body that is no valid flow, which that of a raw flow may be: see `json`.
        """
        return load_flow(self.endpoint, self.json, extra="keep")


class RouteeMock:
    """Routee without a network, in place of `aiohttp.ClientSession`: a context manager for one test.

    It answers each token request, and accepts each send with a receipt as Routee documents it. A client uses it if its
    `Config` has a `session_factory`, as those of `config()` and `client()` have. Only one may be active at a time, and
    no other `aioresponses` beside it: register the responses of other services with its own, `aioresponses`.

    - `api_url`, `auth_url`: base URLs that the client uses; Routee's own by default.
    - `passthrough`: beginnings of URLs whose requests are sent, as `aioresponses` takes them. `["http://127.0.0.1"]`
      lets aiohttp's test client reach its server.

    Raises `RouteeMockError` if aioresponses is not installed; the extra `routee-failover[testing]` brings it.
    """

    def __init__(self, *, api_url: str = API_URL, auth_url: str = AUTH_URL, passthrough: Iterable[str] = ()) -> None:
        try:
            from ._aioresponses import CompleteAioresponses  # noqa: PLC0415  # optional: part of the extra
        except ImportError as error:
            raise RouteeMockError(
                "RouteeMock needs aioresponses, which is not installed: "
                'python -m pip install "routee-failover[testing]"'
            ) from error
        self._api_url = api_url.rstrip("/")
        self._auth_url = auth_url.rstrip("/")
        self._token_url = URL(self._auth_url + _TOKEN_PATH)
        self._endpoints = {URL(self._api_url + route.path): endpoint for endpoint, route in ROUTES.items()}
        self._aioresponses = CompleteAioresponses(self._on_request, passthrough=list(passthrough))
        self._numbers = itertools.count(1)
        self._sent: list[SentRequest] = []

    @property
    def aioresponses(self) -> "_aioresponses":
        """The `aioresponses` object, for responses of other services and of Routee's other APIs, such as tracking.

        What is registered there is used before the receipts of this class. It works with aiohttp 3.14: `response_class`
        may be left out, and a body may have any size.
        """
        return self._aioresponses

    @property
    def sent(self) -> list[SentRequest]:
        """Every attempt to send a flow since the mock was started, the first one first. Token requests are not here."""
        return self._sent

    def config(self, **changes: Any) -> Config:
        """Return the settings of a client that uses this mock; `changes` are further settings of `Config`."""
        settings: dict[str, Any] = {
            "application_id": "mock",
            "application_secret": "mock",
            "api_url": self._api_url,
            "auth_url": self._auth_url,
            "session_factory": aiohttp.ClientSession,
        }
        return Config(**(settings | changes))

    def client(self, **changes: Any) -> RouteeClient:
        """Return a client that uses this mock; `changes` are settings of `Config`.

        It need not be closed: it closes with the event loop that used it.
        """
        return RouteeClient(self.config(**changes))

    def respond(
        self,
        endpoint: Endpoint | Literal["standard", "transactional", "otp", "viber-otp", "token"],
        *,
        status: int = 200,
        payload: Any = None,
        body: str | bytes = "",
        headers: Mapping[str, str] | None = None,
        exception: Exception | None = None,
        repeat: bool | int = False,
    ) -> None:
        """Set the response to the next request of an endpoint; later requests are accepted again.

        - `endpoint`: a send API, or `"token"` for the token service.
        - `status`, `headers`: of the response.
        - `payload`: its body, converted to JSON; or `body`, as it is.
        - `exception`: raised instead of a response: `aiohttp.ConnectionTimeoutError()` proves that nothing was sent,
          `aiohttp.ServerDisconnectedError()` and `TimeoutError()` leave the outcome unknown.
        - `repeat`: for all later requests, or for this number of them.

        Several responses are used in the order in which they were set. Raises `RouteeMockError` for another endpoint.
        """
        urls = {"token": self._token_url} | {str(name): url for url, name in self._endpoints.items()}
        if endpoint not in urls:
            raise RouteeMockError(f"there is no endpoint {endpoint!r}: it is one of {', '.join(urls)}")
        self._aioresponses.post(
            urls[endpoint],
            status=status,
            payload=payload,
            body=body,
            headers=None if headers is None else dict(headers),
            exception=exception,
            repeat=repeat,
        )

    def start(self) -> None:
        """Replace the requests of all sessions of aiohttp, and forget what was sent before.

        Raises `RouteeMockError` if another mock or `aioresponses` has replaced them.
        """
        self._sent.clear()
        try:
            self._aioresponses.start()
        except InvalidSpecError:
            raise RouteeMockError(
                "another RouteeMock or aioresponses is active: use one, its attribute aioresponses takes all responses"
            ) from None

    def stop(self) -> None:
        """Let sessions send again. `sent` can still be read."""
        self._aioresponses.stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def _on_request(self, method: str, url: URL, options: Mapping[str, Any]) -> "DefaultResponse | None":
        """Record a send, and return the response to a request of Routee's for which none is registered."""
        if method == "POST" and url == self._token_url:
            return lambda: {"payload": {"access_token": "mock-token", "token_type": "bearer", "expires_in": 3600}}
        endpoint = self._endpoints.get(url) if method == "POST" else None
        if endpoint is not None:
            request = SentRequest(
                endpoint=endpoint, path=url.path, headers=_headers_of(options), body=await _body_of(options)
            )
            self._sent.append(request)
            return lambda: {"payload": self._receipt(request)}
        if str(url).startswith(str(URL(f"{self._api_url}/"))):
            return lambda: {"status": 400, "payload": {"developerMessage": _not_registered(method, url)}}
        return None

    def _receipt(self, request: SentRequest) -> dict[str, Any]:
        number = next(self._numbers)
        return _RECEIPTS[request.endpoint](f"{number:08x}-0000-4000-8000-000000000000", request.json)


def _headers_of(options: Mapping[str, Any]) -> Mapping[str, str]:
    headers = CIMultiDict(options.get("headers") or {})
    headers.pop("Authorization", None)
    return CIMultiDictProxy(headers)


async def _body_of(options: Mapping[str, Any]) -> bytes:
    data = options.get("data")
    return data if isinstance(data, bytes) else await aiohttp.get_payload(data).as_bytes()


def _not_registered(method: str, url: URL) -> str:
    register = f'aioresponses.{method.lower()}("{url}", payload=...)'
    return f"RouteeMock has no response to {method} {url}: register one with {register}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _flow_receipt(kind: Endpoint, number: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a receipt as https://docs.routee.net/reference/send-a-failover-message shows it."""
    return {"trackingId": number, "flowKind": str(kind), "flow": body.get("flow"), "createdAt": _now()}


def _otp_receipt(number: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a receipt as https://docs.routee.net/reference/send-a-failover-otp-message shows it."""
    flow = body.get("flow")
    # A raw flow may have any shape.
    first, *others = [step for step in flow if isinstance(step, dict)] or [{}] if isinstance(flow, list) else [{}]
    return {
        "flowId": number,
        "status": "InProgress" if others else "Succeeded",
        "type": str(first.get("type", "Sms")).removesuffix("Otp"),  # the channel: Viber, also for a ViberOtp step
        "flow": [{**first, "trackingId": number}, *others],
        "createdAt": _now(),
    }


def _viber_otp_receipt(number: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a receipt as https://docs.routee.net/reference/viber-otp-request shows it."""
    return {**body, "trackingId": number, "status": {"status": "QUEUED", "date": _now()}}


_RECEIPTS: Mapping[Endpoint, Callable[[str, Any], dict[str, Any]]] = {
    Endpoint.STANDARD: partial(_flow_receipt, Endpoint.STANDARD),
    Endpoint.TRANSACTIONAL: partial(_flow_receipt, Endpoint.TRANSACTIONAL),
    Endpoint.OTP: _otp_receipt,
    Endpoint.VIBER_OTP: _viber_otp_receipt,
}
