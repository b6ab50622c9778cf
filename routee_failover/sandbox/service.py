"""What every handler works with: contract, clock, book and tokens, and how a request is read and judged."""

import json
import math
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, Protocol, cast

import attrs
from aiohttp import web

from .callbacks.sender import Callbacks
from .contract import JSON_MEDIA, Contract
from .faults import FAULT, Unanswered
from .life.agenda import Agenda
from .life.book import AcceptedFlow, FlowBook
from .life.clock import VirtualClock
from .life.engine import FlowState
from .life.feed import Feed
from .life.journeys import Journeys
from .life.plan import Endpoint, PlannedStep, planned_steps
from .life.rules import NO_RULING, Fault, Request, Rules, Ruling, ScriptedAnswer
from .life.settings import Settings
from .routee.refusals import FAILOVER, Dialect, Refusal
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


class Refuses(Protocol):
    """Whoever has words for an answer that a rule asks for."""

    def scripted(self, status: int) -> Refusal:
        """The answer of this HTTP status."""
        ...


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
    callbacks: Callbacks
    rules: Rules
    settings: Settings = attrs.field(factory=Settings)
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

    def ruling(self, request: web.Request, endpoint: Endpoint, body: Mapping[str, Any], dialect: Dialect) -> Ruling:
        """What the rules say about a flow that may pass; raises what a rule has answered in the place of taking it.

        The OTP service alone words for itself that the balance does not suffice: the ruling says it then.
        """
        if not self.rules:
            return NO_RULING
        ruling = self.rules.on_flow(endpoint, planned_steps(endpoint, body))
        self._obey(request, ruling, dialect)
        if ruling.answer is not None and endpoint is not Endpoint.OTP:
            raise FAILOVER.insufficient_balance()
        return ruling

    def heed_rules(self, request: web.Request, kind: Request, dialect: Refuses) -> None:
        """Do as the rules say with a request that sends nothing; raises what a rule has answered."""
        self._obey(request, self.rules.on_request(kind), dialect)

    def _obey(self, request: web.Request, ruling: Ruling, dialect: Refuses) -> None:
        if ruling.fault is not None:
            request[FAULT] = ruling.fault
            if ruling.fault is Fault.RESET_BEFORE:
                raise Unanswered
        if ruling.answer is not None and ruling.answer.status is not None:
            refusal = dialect.scripted(ruling.answer.status)
            raise Refusal(refusal.status, refusal.body, _retry_after(ruling.answer))

    def accept(
        self, endpoint: Endpoint, body: Mapping[str, Any], messages: int, ruling: Ruling = NO_RULING
    ) -> AcceptedFlow:
        """Take a flow: from now on its time runs, as the rules said when it came."""
        self.counts.accepted += 1
        flow = AcceptedFlow(
            endpoint=endpoint.value,
            id=str(uuid.uuid4()),
            at=now(),
            number=self.book.next_number(),
            body=body,
            accepted_at=self.clock.now(),
            message_ids=tuple(str(uuid.uuid4()) for _ in range(messages)),
            scripts=ruling.scripts,
            callback_script=ruling.callbacks,
        )
        self.journeys.start(flow)
        return flow

    def searchable(self, *endpoints: Endpoint) -> Iterator[AcceptedFlow]:
        """The flows to these endpoints that a search finds by now, oldest first."""
        lag, elapsed = self.settings.search_lag, self.journeys.elapsed
        return (flow for flow in self.book.sent_to(*endpoints) if not lag or elapsed(flow) >= lag)

    def state(self, flow: AcceptedFlow) -> tuple[tuple[PlannedStep, ...], FlowState]:
        """The steps of a flow and how it stands now."""
        standing = self.journeys.standing(flow)
        return standing.steps, standing.state


def start_anew(journeys: Journeys, rules: Rules, settings: Settings, counts: Counts) -> None:
    """Forget flows, callbacks, rules and settings, and count from nothing. The clock runs on, and tokens stay good."""
    journeys.clear()
    rules.clear()
    settings.reset()
    counts.reset()


def _retry_after(answer: ScriptedAnswer) -> dict[str, str]:
    return {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}


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


def answer(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer. The standard library's encoder is used because it writes integers of any size."""
    fields = {**_JSON_HEADERS, **headers} if headers else _JSON_HEADERS
    return web.Response(status=status, body=json.dumps(body).encode(), headers=fields)


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
