"""What every handler works with: contract, clock, book and tokens, and how a request is read and judged."""

import json
import math
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn, Protocol, cast

import attrs
from aiohttp import web

from .api.errors import FAILOVER_ERRORS, ApiError, ErrorFormat
from .api.tokens import Token, TokenService
from .callbacks.dispatcher import CallbackDispatcher
from .contract import JSON_MEDIA, Contract
from .fault_injection import FAULT_KEY, ConnectionDropRequested
from .simulation.event_bus import EventBus
from .simulation.flow_store import AcceptedFlow, FlowStore
from .simulation.lifecycle import FlowLifecycle
from .simulation.rules import NO_DECISION, Fault, RuleDecision, RuleRequestKind, Rules, ScriptedResponse
from .simulation.scheduler import Scheduler
from .simulation.settings import SimulationSettings
from .simulation.step_plan import PlannedStep, SendEndpoint, plan_steps
from .simulation.timeline import SimulatedFlowState
from .simulation.virtual_clock import VirtualClock
from .store.base import MemoryStore, Store

Handler = Callable[[web.Request], Awaitable[web.Response]]

MAX_BODY_SIZE = 1024 * 1024
MAX_NESTING_DEPTH = 100  # so that whatever was read can be judged and answered without running out of stack

_JSON_HEADERS = {"Content-Type": JSON_MEDIA}


@attrs.define
class SandboxCounters:
    """What the sandbox has seen since it started."""

    requests: int = 0
    """Requests of every kind."""
    token_requests: int = 0
    """Requests to `/oauth/token`."""
    accepted: int = 0
    """Sends that were accepted."""
    rejected: int = 0
    """Requests that were answered no: with an error status, or as an OTP flow that no channel took."""
    connections: int = 0
    """Connections that were opened."""

    def reset(self) -> None:
        """Count from nothing."""
        for field in attrs.fields(SandboxCounters):
            setattr(self, field.name, 0)


class ScriptedErrorFormat(Protocol):
    """Whoever has words for an answer that a rule asks for."""

    def scripted_error(self, status: int) -> ApiError:
        """The answer of this HTTP status."""
        ...


@attrs.frozen(kw_only=True)
class SandboxContext:
    """The sandbox behind its addresses."""

    contract: Contract
    clock: VirtualClock
    flow_store: FlowStore
    tokens: TokenService
    scheduler: Scheduler
    event_bus: EventBus
    lifecycle: FlowLifecycle
    callback_dispatcher: CallbackDispatcher
    rules: Rules
    settings: SimulationSettings = attrs.field(factory=SimulationSettings)
    counters: SandboxCounters = attrs.field(factory=SandboxCounters)
    store: Store = attrs.field(factory=MemoryStore)

    def authenticate(self, request: web.Request, error_format: ErrorFormat) -> Token:
        """The token that the request carries; raises the dialect's refusal when it carries none that lives."""
        authorization = request.headers.get("Authorization", "")
        if not authorization.lower().startswith("bearer "):
            raise error_format.missing_token()
        token = self.tokens.authenticate(authorization)
        if token is None:
            raise error_format.invalid_token()
        return token

    async def read_body(self, request: web.Request, operation: str, error_format: ErrorFormat, entity: str) -> Any:
        """The request's JSON, judged by the contract; raises the dialect's refusal for what does not pass."""
        data = await self._read_json(request, error_format)
        try:
            violations = self.contract.check_body(operation, data)
        except ValueError:  # half of a surrogate pair: JSON can spell it, but it is no text
            raise error_format.malformed_body("The body is not valid Unicode") from None
        if violations:
            raise error_format.validation_failed(entity, violations)
        return data

    async def _read_json(self, request: web.Request, error_format: ErrorFormat) -> Any:
        try:
            raw = await read_bounded(request)
        except ValueError as error:
            raise error_format.malformed_body(str(error)) from None
        if not raw:
            return None  # the contract says whether a request may come without a body
        if request.content_type != JSON_MEDIA:
            raise error_format.malformed_body(f"The content type must be {JSON_MEDIA}")
        try:
            data = json.loads(raw, parse_constant=_refuse_constant, parse_float=_finite)
        except (ValueError, RecursionError):
            raise error_format.malformed_body("The body is not valid JSON") from None
        if raw.count(b"{") + raw.count(b"[") > MAX_NESTING_DEPTH and _deeper_than(MAX_NESTING_DEPTH, data):
            raise error_format.malformed_body("The body is nested too deeply")
        return data

    def read_query(
        self, request: web.Request, operation: str, error_format: ErrorFormat, entity: str
    ) -> dict[str, Any]:
        """The request's query, judged by the contract, with its defaults filled in."""
        values, violations = self.contract.read_query(operation, request.query)
        if violations:
            raise error_format.validation_failed(entity, violations)
        return values

    def decide(
        self, request: web.Request, endpoint: SendEndpoint, body: Mapping[str, Any], error_format: ErrorFormat
    ) -> RuleDecision:
        """What the rules say about a flow that may pass; raises what a rule has answered in the place of taking it.

        The OTP service alone words for itself that the balance does not suffice: the ruling says it then.
        """
        if not self.rules:
            return NO_DECISION
        ruling = self.rules.decide_flow(endpoint, plan_steps(endpoint, body))
        self._apply_decision(request, ruling, error_format)
        if ruling.response is not None and endpoint is not SendEndpoint.OTP:
            raise FAILOVER_ERRORS.insufficient_balance()
        return ruling

    def apply_rules(self, request: web.Request, kind: RuleRequestKind, error_format: ScriptedErrorFormat) -> None:
        """Do as the rules say with a request that sends nothing; raises what a rule has answered."""
        self._apply_decision(request, self.rules.decide_request(kind), error_format)

    def _apply_decision(self, request: web.Request, decision: RuleDecision, error_format: ScriptedErrorFormat) -> None:
        if decision.fault is not None:
            request[FAULT_KEY] = decision.fault
            if decision.fault is Fault.RESET_BEFORE:
                raise ConnectionDropRequested
        if decision.response is not None and decision.response.status is not None:
            refusal = error_format.scripted_error(decision.response.status)
            raise ApiError(refusal.status, refusal.body, _retry_after(decision.response))

    def accept(
        self, endpoint: SendEndpoint, body: Mapping[str, Any], messages: int, decision: RuleDecision = NO_DECISION
    ) -> AcceptedFlow:
        """Take a flow: from now on its time runs, as the rules said when it came."""
        self.counters.accepted += 1
        flow = AcceptedFlow(
            endpoint=endpoint.value,
            id=str(uuid.uuid4()),
            created_at=utc_now(),
            number=self.flow_store.next_number(),
            body=body,
            accepted_at=self.clock.now(),
            message_ids=tuple(str(uuid.uuid4()) for _ in range(messages)),
            scripts=decision.scripts,
            callback_script=decision.callbacks,
        )
        self.lifecycle.start(flow)
        return flow

    def searchable(self, *endpoints: SendEndpoint) -> Iterator[AcceptedFlow]:
        """The flows to these endpoints that a search finds by now, oldest first."""
        lag, elapsed = self.settings.search_lag, self.lifecycle.elapsed
        return (flow for flow in self.flow_store.for_endpoints(*endpoints) if not lag or elapsed(flow) >= lag)

    def current_state(self, flow: AcceptedFlow) -> tuple[tuple[PlannedStep, ...], SimulatedFlowState]:
        """The steps of a flow and how it stands now."""
        standing = self.lifecycle.snapshot(flow)
        return standing.steps, standing.state


def reset_state(
    lifecycle: FlowLifecycle, rules: Rules, settings: SimulationSettings, counters: SandboxCounters
) -> None:
    """Forget flows, callbacks, rules and settings, and count from nothing. The clock runs on, and tokens stay good."""
    lifecycle.clear()
    rules.clear()
    settings.reset()
    counters.reset()


def _retry_after(answer: ScriptedResponse) -> dict[str, str]:
    return {} if answer.retry_after is None else {"Retry-After": str(answer.retry_after)}


async def read_bounded(request: web.Request) -> bytes:
    """The body's bytes; raises `ValueError` when they are too many, or when the caller leaves before the last one."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ValueError("The body is too large") from None
    except (ConnectionResetError, web.RequestPayloadError):
        raise ValueError("The body ended too early") from None


def utc_now() -> datetime:
    """The real time, to the millisecond: as exact as answers write it, so that a search by what they say finds it."""
    exact = datetime.now(UTC)
    return exact.replace(microsecond=exact.microsecond // 1000 * 1000)


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
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
