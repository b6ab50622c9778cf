"""Context of the request handlers: contract, clock, stores and services, and how a request is read and validated."""

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
from .connection_faults import FAULT_KEY, ConnectionDropRequested
from .contract import JSON_MEDIA, Contract
from .simulation.event_bus import EventBus
from .simulation.flow_plan import PlannedStep, SendEndpoint, plan_steps
from .simulation.flow_store import AcceptedFlow, FlowStore
from .simulation.lifecycle import FlowLifecycle
from .simulation.rules import NO_DECISION, Fault, RuleDecision, RuleRequestKind, Rules, ScriptedResponse
from .simulation.runtime_settings import SimulationSettings
from .simulation.scheduler import Scheduler
from .simulation.timeline import SimulatedFlowState
from .simulation.virtual_clock import VirtualClock
from .store.base import MemoryStore, Store

Handler = Callable[[web.Request], Awaitable[web.Response]]

MAX_BODY_SIZE = 1024 * 1024
MAX_NESTING_DEPTH = 100  # so that a body that was read can be validated and echoed without exhausting the stack

_JSON_HEADERS = {"Content-Type": JSON_MEDIA}


@attrs.define
class SandboxCounters:
    """Counters of the sandbox since it started or was reset."""

    requests: int = 0
    """Requests of every kind."""
    token_requests: int = 0
    """Requests to `/oauth/token`."""
    accepted: int = 0
    """Sends that were accepted."""
    rejected: int = 0
    """Requests that were rejected: with an error status, or as an OTP flow that no channel accepted."""
    connections: int = 0
    """Connections that were opened."""

    def reset(self) -> None:
        """Set all counters to 0."""
        for field in attrs.fields(SandboxCounters):
            setattr(self, field.name, 0)


class ScriptedErrorFormat(Protocol):
    """Error format that can express a scripted error."""

    def scripted_error(self, status: int) -> ApiError:
        """Return the error with this HTTP status."""
        ...


@attrs.frozen(kw_only=True)
class SandboxContext:
    """Shared state of the request handlers."""

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
        """Return the valid token of the request; raises the `error_format`'s error when there is none."""
        authorization = request.headers.get("Authorization", "")
        if not authorization.lower().startswith("bearer "):
            raise error_format.missing_token()
        token = self.tokens.authenticate(authorization)
        if token is None:
            raise error_format.invalid_token()
        return token

    async def read_body(self, request: web.Request, operation: str, error_format: ErrorFormat, entity: str) -> Any:
        """Return the JSON body, validated by the contract; raises the `error_format`'s error when it is invalid."""
        data = await self._read_json(request, error_format)
        try:
            violations = self.contract.check_body(operation, data)
        except ValueError:  # half of a surrogate pair: JSON can encode it, but it is not valid text
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
            return None  # the contract decides whether a body is required
        if request.content_type != JSON_MEDIA:
            raise error_format.malformed_body(f"The content type must be {JSON_MEDIA}")
        try:
            data = json.loads(raw, parse_constant=_reject_constant, parse_float=_parse_finite_float)
        except (ValueError, RecursionError):
            raise error_format.malformed_body("The body is not valid JSON") from None
        if raw.count(b"{") + raw.count(b"[") > MAX_NESTING_DEPTH and _is_deeper_than(MAX_NESTING_DEPTH, data):
            raise error_format.malformed_body("The body is nested too deeply")
        return data

    def read_query(
        self, request: web.Request, operation: str, error_format: ErrorFormat, entity: str
    ) -> dict[str, Any]:
        """Return the query, validated by the contract, with defaults filled in; raises like `read_body`."""
        values, violations = self.contract.read_query(operation, request.query)
        if violations:
            raise error_format.validation_failed(entity, violations)
        return values

    def decide(
        self, request: web.Request, endpoint: SendEndpoint, body: Mapping[str, Any], error_format: ErrorFormat
    ) -> RuleDecision:
        """Return the decision of the rules about a valid flow; raises a response that a rule scripts.

        An insufficient balance of the OTP service is in the decision instead, because that service has its own
        response.
        """
        if not self.rules:
            return NO_DECISION
        decision = self.rules.decide_flow(endpoint, plan_steps(endpoint, body))
        self._apply_decision(request, decision, error_format)
        if decision.response is not None and endpoint is not SendEndpoint.OTP:
            raise FAILOVER_ERRORS.insufficient_balance()
        return decision

    def apply_rules(self, request: web.Request, kind: RuleRequestKind, error_format: ScriptedErrorFormat) -> None:
        """Apply the rules to a request that sends nothing; raises a response that a rule scripts."""
        self._apply_decision(request, self.rules.decide_request(kind), error_format)

    def _apply_decision(self, request: web.Request, decision: RuleDecision, error_format: ScriptedErrorFormat) -> None:
        if decision.fault is not None:
            request[FAULT_KEY] = decision.fault
            if decision.fault is Fault.RESET_BEFORE:
                raise ConnectionDropRequested
        if decision.response is not None and decision.response.status is not None:
            error = error_format.scripted_error(decision.response.status)
            raise ApiError(error.status, error.body, {**error.headers, **_retry_after(decision.response)})

    def accept(
        self, endpoint: SendEndpoint, body: Mapping[str, Any], message_count: int, decision: RuleDecision = NO_DECISION
    ) -> AcceptedFlow:
        """Accept a flow and start its timeline, with the decision of the rules."""
        self.counters.accepted += 1
        flow = AcceptedFlow(
            endpoint=endpoint.value,
            id=str(uuid.uuid4()),
            created_at=utc_now(),
            number=self.flow_store.next_number(),
            body=body,
            accepted_at=self.clock.now(),
            message_ids=tuple(str(uuid.uuid4()) for _ in range(message_count)),
            scripts=decision.scripts,
            callback_script=decision.callbacks,
        )
        self.lifecycle.start(flow)
        return flow

    def searchable(self, *endpoints: SendEndpoint) -> Iterator[AcceptedFlow]:
        """Return the flows to these endpoints that are old enough for searches to find them, oldest first."""
        lag, elapsed = self.settings.search_lag, self.lifecycle.elapsed
        return (flow for flow in self.flow_store.for_endpoints(*endpoints) if not lag or elapsed(flow) >= lag)

    def current_state(self, flow: AcceptedFlow) -> tuple[tuple[PlannedStep, ...], SimulatedFlowState]:
        """Return the steps of a flow and its current state."""
        snapshot = self.lifecycle.snapshot(flow)
        return snapshot.steps, snapshot.state


def reset_state(
    lifecycle: FlowLifecycle, rules: Rules, settings: SimulationSettings, counters: SandboxCounters
) -> None:
    """Delete flows, callbacks and rules, and reset settings and counters. Clock and tokens are unaffected."""
    lifecycle.clear()
    rules.clear()
    settings.reset()
    counters.reset()


def _retry_after(response: ScriptedResponse) -> dict[str, str]:
    return {} if response.retry_after is None else {"Retry-After": str(response.retry_after)}


async def read_bounded(request: web.Request) -> bytes:
    """Return the body; raises `ValueError` when it is too large, or the client disconnects before its end."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise ValueError("The body is too large") from None
    except (ConnectionResetError, web.RequestPayloadError):
        raise ValueError("The body ended too early") from None


def utc_now() -> datetime:
    """Return the real time to the millisecond, the precision of responses, so that searches by their times match."""
    now = datetime.now(UTC)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return a JSON response. It uses the standard library's encoder, which supports integers of any size."""
    all_headers = {**_JSON_HEADERS, **headers} if headers else _JSON_HEADERS
    return web.Response(status=status, body=json.dumps(body).encode(), headers=all_headers)


def _reject_constant(_name: str) -> NoReturn:
    raise ValueError


def _parse_finite_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError
    return number


def _is_deeper_than(limit: int, data: object) -> bool:
    level: list[Any] = [data]
    for _ in range(limit):
        level = [child for node in level for child in _children(node)]
    return any(isinstance(node, dict | list) for node in level)


def _children(node: object) -> Iterable[Any]:
    if isinstance(node, dict):
        return cast("dict[str, Any]", node).values()
    return cast("list[object]", node) if isinstance(node, list) else ()
