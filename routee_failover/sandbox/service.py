"""What every handler works with: contract, clock, book and tokens, and how a request is read and judged."""

import json
import math
import uuid
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, cast

import attrs
from aiohttp import web

from .contract import JSON_MEDIA, Contract
from .life.agenda import Agenda
from .life.book import AcceptedFlow, FlowBook
from .life.clock import VirtualClock
from .life.engine import FlowState
from .life.feed import Feed
from .life.journeys import Journeys
from .life.plan import Endpoint, PlannedStep
from .routee.refusals import Dialect
from .routee.tokens import Token, TokenService
from .store.store import MemoryStore, Store

Handler = Callable[[web.Request], Awaitable[web.Response]]

LARGEST_BODY = 1024 * 1024
DEEPEST_NESTING = 100  # so that whatever was read can be judged and answered without running out of stack

_JSON_HEADERS = {"Content-Type": JSON_MEDIA}


@attrs.define
class Counts:
    """What the sandbox has seen since it started."""

    requests: int = 0
    """Requests of every kind."""
    token_requests: int = 0
    """Requests to `/oauth/token`."""
    accepted: int = 0
    """Sends that were accepted."""
    refused: int = 0
    """Requests that were answered no: with an error status, or as an OTP flow that no channel took."""
    connections: int = 0
    """Connections that were opened."""

    def reset(self) -> None:
        """Count from nothing."""
        for field in attrs.fields(Counts):
            setattr(self, field.name, 0)


@attrs.frozen(kw_only=True)
class Service:
    """The sandbox behind its addresses."""

    contract: Contract
    clock: VirtualClock
    book: FlowBook
    tokens: TokenService
    agenda: Agenda
    feed: Feed
    journeys: Journeys
    counts: Counts = attrs.field(factory=Counts)
    store: Store = attrs.field(factory=MemoryStore)

    def token(self, request: web.Request, dialect: Dialect) -> Token:
        """The token that the request carries; raises the dialect's refusal when it carries none that lives."""
        authorization = request.headers.get("Authorization", "")
        if not authorization.lower().startswith("bearer "):
            raise dialect.no_token()
        token = self.tokens.find(authorization)
        if token is None:
            raise dialect.bad_token()
        return token

    async def body(self, request: web.Request, operation: str, dialect: Dialect, entity: str) -> Any:
        """The request's JSON, judged by the contract; raises the dialect's refusal for what does not pass."""
        data = await self._read_json(request, dialect)
        try:
            violations = self.contract.check_body(operation, data)
        except ValueError:  # half of a surrogate pair: JSON can spell it, but it is no text
            raise dialect.unreadable("The body is not valid Unicode") from None
        if violations:
            raise dialect.invalid(entity, violations)
        return data

    async def _read_json(self, request: web.Request, dialect: Dialect) -> Any:
        try:
            raw = await read_bounded(request)
        except ValueError as error:
            raise dialect.unreadable(str(error)) from None
        if not raw:
            return None  # the contract says whether a request may come without a body
        if request.content_type != JSON_MEDIA:
            raise dialect.unreadable(f"The content type must be {JSON_MEDIA}")
        try:
            data = json.loads(raw, parse_constant=_refuse_constant, parse_float=_finite)
        except (ValueError, RecursionError):
            raise dialect.unreadable("The body is not valid JSON") from None
        if raw.count(b"{") + raw.count(b"[") > DEEPEST_NESTING and _deeper_than(DEEPEST_NESTING, data):
            raise dialect.unreadable("The body is nested too deeply")
        return data

    def query(self, request: web.Request, operation: str, dialect: Dialect, entity: str) -> dict[str, Any]:
        """The request's query, judged by the contract, with its defaults filled in."""
        values, violations = self.contract.read_query(operation, request.query)
        if violations:
            raise dialect.invalid(entity, violations)
        return values

    def accept(self, endpoint: Endpoint, body: Mapping[str, Any], messages: int) -> AcceptedFlow:
        """Take a flow: from now on its time runs."""
        self.counts.accepted += 1
        flow = AcceptedFlow(
            endpoint=endpoint.value,
            id=str(uuid.uuid4()),
            at=now(),
            number=self.book.next_number(),
            body=body,
            accepted_at=self.clock.now(),
            message_ids=tuple(str(uuid.uuid4()) for _ in range(messages)),
        )
        self.journeys.start(flow)
        return flow

    def state(self, flow: AcceptedFlow) -> tuple[tuple[PlannedStep, ...], FlowState]:
        """The steps of a flow and how it stands now."""
        return self.journeys.state(flow)


async def read_bounded(request: web.Request) -> bytes:
    """The body's bytes; raises `ValueError` when they are too many, or when the caller leaves before the last one."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ValueError("The body is too large") from None
    except (ConnectionResetError, web.RequestPayloadError):
        raise ValueError("The body ended too early") from None


def now() -> datetime:
    """The real time, to the millisecond: as exact as answers write it, so that a search by what they say finds it."""
    exact = datetime.now(UTC)
    return exact.replace(microsecond=exact.microsecond // 1000 * 1000)


def answer(body: Any, status: int = 200) -> web.Response:
    """A JSON answer. The standard library's encoder is used because it writes integers of any size."""
    return web.Response(status=status, body=json.dumps(body).encode(), headers=_JSON_HEADERS)


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError
    return number


def _deeper_than(limit: int, data: object) -> bool:
    level: list[Any] = [data]
    for _ in range(limit):
        level = [part for node in level for part in _parts(node)]
    return any(isinstance(node, dict | list) for node in level)


def _parts(node: object) -> Iterable[Any]:
    if isinstance(node, dict):
        return cast("dict[str, Any]", node).values()
    return cast("list[object]", node) if isinstance(node, list) else ()
