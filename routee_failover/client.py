"""Asyncio client of Routee's failover messaging: send, track, wait, search.

The client composes the transport, the read calls, polling and search; it holds no rule of its own. Its errors and what
they prove are in `routee_failover.errors`, its settings in `routee_failover.config`.
"""

import functools
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn, Self, TypedDict, TypeVar, Unpack, overload

import attrs

from ._api_path import Params, build_path
from ._polling import PerLoopPollers, Timeout, check_predicate, is_final, schedule_for, timeout_seconds, tracking_ids_of
from ._read_api import ReadApi, resolve_target
from ._request_builder import SendGuard, build_request, error_of_hook
from ._search import Filter, FilterField, FlowSearch, OtpSearch
from ._search.base import DEFAULT_PAGE_SIZE
from ._search.query import build_flow_query
from ._send_all import SendResult, send_each
from ._send_errors import error_for_outcome
from ._tasks import wait_for_tasks
from ._transport import Transport
from ._wire.token_response import explain_forbidden
from .config import Config
from .errors import DeliveryUnknown, InvalidConfig, InvalidFlow, Outcome, Withdrawn
from .flows import AnyFlow, Endpoint, OtpFlow, RawFlow, StandardFlow, TransactionalFlow, ViberOtpMessage
from .reconcile import OnUnknown, Reconciler
from .records import (
    AnyReceipt,
    Balance,
    Channel,
    FlowKind,
    FlowReceipt,
    FlowRecord,
    FlowStatus,
    OtpReceipt,
    OtpRecord,
    OtpTemplate,
    TokenInfo,
    ViberOtpReceipt,
    ViberOtpRecord,
)
from .secret import Secret, scrub_traceback

_T = TypeVar("_T")


class SendOptions(TypedDict, total=False):
    """Keyword arguments of `RouteeClient.send`."""

    deadline: timedelta | None
    """Time from now after which the message must not leave any more."""
    on_unknown: OnUnknown
    """What to do about a message of unknown outcome."""
    should_send: SendGuard | None
    """Called right before the first byte leaves, in each attempt; if it returns false, the message is not sent."""


class RouteeClient:
    """Asyncio client for Routee's failover messaging.

        async with RouteeClient.from_env() as routee:
            receipt = await routee.send(flow)
            record = await routee.wait(receipt, timeout=180)

    A client may be created at import time and used in several event loops. Each event loop has its own
    connection pool, access token, limits and circuit breaker. They are created on first use and closed by `aclose()`,
    by `async with`, or at the latest when the loop ends. One client may be shared by all tasks of a loop.

    - `config`: all settings of the client.
    - `reconciler`: asked about a message of unknown outcome by `send(..., on_unknown=OnUnknown.RECONCILE)`.
    """

    def __init__(self, config: Config, *, reconciler: Reconciler | None = None) -> None:
        self._config = config
        self._reconciler = reconciler
        self._transport = Transport(config)
        self._read_api = ReadApi(self._transport)
        self._pollers = PerLoopPollers(config.poll_rate)

    @classmethod
    @scrub_traceback
    def from_env(
        cls, environ: Mapping[str, str] | None = None, *, reconciler: Reconciler | None = None, **settings: Any
    ) -> Self:
        """Create a client from environment variables and keyword settings, as `Config.from_env` reads them.

        Raises `InvalidConfig` that names each required variable that is missing.
        """
        return cls(Config.from_env(environ, **settings), reconciler=reconciler)

    @property
    def config(self) -> Config:
        """Settings of the client."""
        return self._config

    def with_options(self, **settings: Any) -> Self:
        """Return a new client with some settings of `Config` changed.

        It shares neither connections nor token with this client and is closed separately. Raises `InvalidConfig` for a
        setting that cannot work.
        """
        return type(self)(attrs.evolve(self._config, **settings), reconciler=self._reconciler)

    def __repr__(self) -> str:
        return f"RouteeClient({self._config.api_url})"

    @overload
    async def send(self, flow: StandardFlow | TransactionalFlow, **options: Unpack[SendOptions]) -> FlowReceipt: ...
    @overload
    async def send(self, flow: OtpFlow, **options: Unpack[SendOptions]) -> OtpReceipt: ...
    @overload
    async def send(self, flow: ViberOtpMessage, **options: Unpack[SendOptions]) -> ViberOtpReceipt: ...
    @overload
    async def send(self, flow: RawFlow, **options: Unpack[SendOptions]) -> AnyReceipt: ...
    async def send(
        self,
        flow: AnyFlow,
        *,
        deadline: timedelta | None = None,
        on_unknown: OnUnknown = OnUnknown.RAISE,
        should_send: SendGuard | None = None,
    ) -> AnyReceipt:
        """Send a flow once and return Routee's receipt; its type follows from the flow's type.

        - `flow`: a validated flow, a Viber OTP message, or a raw flow, which is sent as it is.
        - `deadline`: time from now after which the message is useless. It does not leave later than that, and the ttls
          of its steps are shortened to the time left. If that is too little, `DeadlinePassed` is raised. The ttls of a
          raw flow are not changed: Routee may still try its later steps after the deadline. Time in which the machine
          sleeps counts.
        - `on_unknown`: `OnUnknown.RAISE` raises `DeliveryUnknown`; `OnUnknown.RECONCILE` asks the client's reconciler
          first.
        - `should_send`: called without arguments right before the first byte leaves, in each attempt. It must not block
          and must not be async. If it returns false, `Withdrawn` is raised. If it raises, nothing is sent either, and
          `NotSent` is raised with that error as its cause.

        Raises one of four errors, or a subclass, each of which says what is proven:

        - `InvalidFlow`: the argument is not a valid flow, deadline or `should_send`. Nothing was sent.
        - `NotSent`: nothing reached Routee; sending again is safe.
        - `Rejected`: Routee did not accept the message.
        - `DeliveryUnknown`: Routee may have accepted the message. It must not be sent again blindly.

        A message is retried only if no byte of it can have left, or if Routee rejected it for now (`STATUS_RULES`);
        attempts are limited by `Config.max_attempts`, `Config.total_timeout` and the retry budget.

        A task that is cancelled before the first byte leaves has sent nothing. If it is cancelled later, the send
        continues in the background: observers get its outcome, and `aclose()` waits for it.
        """
        try:
            request = build_request(flow, deadline, should_send)
        except InvalidFlow as invalid:
            del flow  # it may be a mapping with a PIN, which a traceback that shows locals would show
            raise invalid.with_traceback(None) from None
        reconciler = None if on_unknown is OnUnknown.RAISE else self._reconciler_for(on_unknown)
        try:
            outcome, result, receipt = await self._transport.send_request(request)
        except Withdrawn:
            failure = error_of_hook(request)
            if failure is None:
                raise
            raise failure from failure.__cause__
        if outcome is Outcome.ACCEPTED:
            accepted: AnyReceipt = receipt
            return accepted
        error = error_for_outcome(flow, request, outcome, result, receipt)
        explain_forbidden(error, self._transport.access_token)
        if reconciler is not None and isinstance(error, DeliveryUnknown):
            return await reconciler.reconcile(flow, error)
        raise error

    def send_all(
        self,
        flows: Iterable[AnyFlow] | AsyncIterable[AnyFlow],
        *,
        concurrency: int | None = None,
        rate: float | None = None,
        deadline: timedelta | None = None,
    ) -> AsyncGenerator[SendResult, None]:
        """Send many flows concurrently and yield a `SendResult` for each, in the order in which the sends end.

        - `flows`: an iterable or async iterable. Flows are drawn as they are needed, so that an endless source needs
          constant memory.
        - `concurrency`: the maximum number of sends in flight; `Config.pool_size` by default.
        - `rate`: the maximum number of sends started per second; unlimited by default.
        - `deadline`: the `deadline` of each `send`, counted from the start of that send.

        The failure of a flow is not raised: it is in `SendResult.error`. An error of the source is raised after the
        results of the flows drawn before it. Raises `InvalidConfig` at once for a `concurrency` or `rate` that cannot
        work.

        Closing the iterator stops drawing flows and waits for the sends in flight; their results are discarded. Wrap it
        in `contextlib.aclosing` if the loop may be left early.
        """
        send = self.send if deadline is None else functools.partial(self.send, deadline=deadline)
        return send_each(send, flows, self._config.pool_size if concurrency is None else concurrency, rate)

    @overload
    async def track(self, message: FlowReceipt | FlowRecord) -> FlowRecord: ...
    @overload
    async def track(self, message: OtpReceipt | OtpRecord) -> OtpRecord: ...
    @overload
    async def track(self, message: ViberOtpReceipt | ViberOtpRecord) -> ViberOtpRecord: ...
    @overload
    async def track(self, message: str, endpoint: Endpoint | str = ...) -> FlowRecord | OtpRecord | ViberOtpRecord: ...
    async def track(
        self,
        message: AnyReceipt | FlowRecord | OtpRecord | ViberOtpRecord | str,
        endpoint: Endpoint | str = Endpoint.STANDARD,
    ) -> FlowRecord | OtpRecord | ViberOtpRecord:
        """Return the current record of a message.

        - `message`: its receipt, an earlier record, or its id. The id of a failover OTP is its flow id or the tracking
          id of one of its steps.
        - `endpoint`: the endpoint that the message was sent to; used for an id only.

        Raises `InvalidFlow` for an argument without a usable id, before any request is made; `NotFound` for an id that
        Routee does not know; and `NotSent`, `Rejected` or `NoResponse` as every read call. All are safe to repeat.
        """
        tracking_id, endpoint = resolve_target("track", message, endpoint)
        return await self._read_api.track(tracking_id, endpoint, by_id=isinstance(message, str))

    @overload
    async def wait(
        self, message: FlowReceipt | FlowRecord, *, timeout: Timeout, until: Callable[[FlowRecord], bool] | None = ...
    ) -> FlowRecord: ...
    @overload
    async def wait(
        self, message: OtpReceipt | OtpRecord, *, timeout: Timeout, until: Callable[[OtpRecord], bool] | None = ...
    ) -> OtpRecord: ...
    @overload
    async def wait(
        self,
        message: ViberOtpReceipt | ViberOtpRecord,
        *,
        timeout: Timeout,
        until: Callable[[ViberOtpRecord], bool] | None = ...,
    ) -> ViberOtpRecord: ...
    @overload
    async def wait(
        self,
        message: str,
        endpoint: Endpoint | str = ...,
        *,
        timeout: Timeout,
        until: Callable[[Any], bool] | None = ...,
    ) -> FlowRecord | OtpRecord | ViberOtpRecord: ...
    async def wait(
        self,
        message: AnyReceipt | FlowRecord | OtpRecord | ViberOtpRecord | str,
        endpoint: Endpoint | str = Endpoint.STANDARD,
        *,
        timeout: Timeout,
        until: Callable[[Any], bool] | None = None,
    ) -> FlowRecord | OtpRecord | ViberOtpRecord:
        """Wait until a message is final, or until `until(record)` is true, and return its record.

        - `message`, `endpoint`: as for `track`.
        - `timeout`: how long to wait, a `timedelta` or a number of seconds.
        - `until`: a condition on the record, instead of `record.final`; a plain function, not an async one. If a final
          flow does not satisfy it, polling continues until the timeout. What it raises is raised.

        Routee is polled often at first and after each ttl of the receipt, and seldom in between. All waits for one flow
        share its polls, and all waits of an event loop share the rate `Config.poll_rate`. A callback passed to `notify`
        ends the wait at once, including one that arrived up to a minute before.

        The status of a record is about the end, that of a receipt about acceptance. A failover OTP flow may be
        `Succeeded` while its SMS is still queued. To wait until each step is final as well, pass
        `until=lambda record: record.final and all(step.final for step in record.steps)`.

        Raises `WaitTimeout` with the last record seen, and errors that polling again cannot change: `NotFound` for an
        id that Routee does not know (an id from a receipt may be unknown for its first minute), another `Rejected`, and
        `ClientClosed`. Polls without a response are repeated.
        """
        tracking_id, endpoint = resolve_target("wait", message, endpoint)
        check_predicate(until)
        record: FlowRecord | OtpRecord | ViberOtpRecord = await self._pollers.for_running_loop().wait(
            tracking_id,
            functools.partial(self._read_api.track, tracking_id, endpoint, by_id=isinstance(message, str)),
            schedule_for(message),
            accepted=not isinstance(message, str),
            timeout=timeout_seconds(timeout),
            until=is_final if until is None else until,
        )
        return record

    def notify(self, record: FlowRecord | OtpRecord | ViberOtpRecord) -> None:
        """Pass on a record that arrived by callback: `wait` calls for its flow see it at once.

        May be called from any thread. The record is trusted: verify where it came from first, with `CallbackSigner` for
        example.
        """
        self._pollers.notify(tracking_ids_of(record), record)

    def search(
        self,
        *,
        to: str | None = None,
        status: FlowStatus | str | None = None,
        type: Channel | str | None = None,  # noqa: A002  # Routee's own word for it
        termination_channel: Channel | str | None = None,
        flow_kind: FlowKind | str | None = None,
        since: datetime | None = None,
        until: datetime | None = None,
        where: Iterable[Filter] = (),
        page_size: int = DEFAULT_PAGE_SIZE,
    ) -> FlowSearch:
        """Search standard and transactional flows that match all conditions: `async for record in routee.search(...)`.

        - `to`: the recipient of a step.
        - `status`: the status of the flow.
        - `type`: the channel of any step.
        - `termination_channel`: the channel on which the flow ended.
        - `flow_kind`: standard or transactional.
        - `since`, `until`: the flow was accepted at `since` or later, and before `until`; both need a time zone. The
          range that Routee searches without them is not documented. Without `until` the search ends five minutes from
          now, because clocks differ.
        - `where`: further conditions, with all of Routee's operators.
        - `page_size`: flows per request.

        Raises `InvalidSearch` at once for conditions that cannot work, and during iteration the errors of every read
        call: `NotSent`, `Rejected` and `NoResponse`.
        """
        terms = {
            FilterField.TO: to,
            FilterField.STATUS: status,
            FilterField.TYPE: type,
            FilterField.TERMINATION_CHANNEL: termination_channel,
            FilterField.FLOW_KIND: flow_kind,
        }
        query = build_flow_query(terms, where, since, until, datetime.now(UTC))
        return FlowSearch(self._read_api.fetch, query, page_size)

    def search_otp(
        self,
        *,
        status: FlowStatus | str | None = None,
        tag: str | None = None,
        phone_number: str | None = None,
        flow_id: str | None = None,
        page_size: int = DEFAULT_PAGE_SIZE,
    ) -> OtpSearch:
        """Search failover OTP flows that match all conditions. Routee has no condition on time for them.

        - `status`: the status of the flow.
        - `tag`: the label of a step.
        - `phone_number`: the recipient.
        - `flow_id`: the id of the flow.
        - `page_size`: flows per request.

        Raises as `search` does. Routee documents a 404 for this list without its meaning: `NotFound` may mean that
        there are no such flows.
        """
        terms = {"status": status, "tag": tag, "phone_number": phone_number, "flow_id": flow_id}
        return OtpSearch(self._read_api.fetch, terms, page_size)

    async def balance(self) -> Balance:
        """Return the balance of the account. Raises as every read call does; safe to repeat."""
        return await self._read_api.fetch("/accounts/me/balance", Balance.from_dict)

    async def otp_templates(self) -> tuple[OtpTemplate, ...]:
        """Return the templates for failover OTP flows: `OtpTemplateId` has the nine that Routee documents.

        No public page describes the response: each record has what can be told from it, and all of it in `raw`. Raises
        as every read call does; safe to repeat.
        """
        return await self._read_api.otp_templates()

    async def token_info(self) -> TokenInfo:
        """Return the roles and scopes of the access token, which explain a `Forbidden`; nothing of the token itself.

        Requests a token if this event loop has none that is valid. Raises `TokenUnavailable` or another `NotSent`; safe
        to repeat.
        """
        return await self._read_api.token_info()

    async def get(self, path: str, params: Params | None = None) -> Any:
        """Return the JSON of any other reading call: `await routee.get("/accounts/me/balance")`.

        For the calls of Routee's API that this client has no method for. It is a GET with the client's token, and it is
        repeated as every read call is.

        - `path`: a path below `Config.api_url`, percent-encoded, which may have a query.
        - `params`: query parameters that are added, encoded: texts, numbers, booleans, or lists of them.

        Nothing is checked in the JSON that is returned. Observers see the path, but not the query.

        Raises `InvalidSearch`, before any request is made, for a URL, for a path with a segment `.` or `..`, and for a
        malformed query; otherwise as every read call does.
        """
        return await self._read_api.fetch_json(Secret(build_path(path, params)))

    async def aclose(self) -> None:
        """Close the connections of the running event loop. Later sends in this loop raise `ClientClosed`.

        - Requests that wait for the concurrency or rate limit, a token or a connection raise `ClientClosed` at once.
        - Requests that wait for a retry raise the error of their last attempt.
        - Read calls in flight raise `NoResponse`.
        - Messages in flight are waited for, up to `Config.shutdown_timeout`; those without a response then raise
          `DeliveryUnknown`.

        A caller that is cancelled leaves at once: closing continues in the background, and sends that have begun still
        get their outcome within `shutdown_timeout`. Another `aclose()` waits for it.

        `async with` opens a closed client again. Closing twice is harmless.
        """
        # Both begin before anything is awaited: requests are refused from now on, even if this is cancelled.
        await wait_for_tasks([*self._pollers.close(), *self._transport.close()])

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            f"a {type(self).__name__} cannot be copied or pickled, because it holds connections and a token: share the "
            "client itself, make another one from it with with_options(), and in another process make one there, with "
            "from_env() for example"
        )

    async def __aenter__(self) -> Self:
        self._transport.reopen()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    def _reconciler_for(self, on_unknown: OnUnknown) -> Reconciler | None:
        if on_unknown not in [*OnUnknown]:
            raise InvalidConfig("on_unknown must be OnUnknown.RAISE or OnUnknown.RECONCILE; nothing was sent")
        if on_unknown == OnUnknown.RAISE:
            return None
        if self._reconciler is None:
            raise InvalidConfig("on_unknown=RECONCILE needs RouteeClient(config, reconciler=...); nothing was sent")
        return self._reconciler
