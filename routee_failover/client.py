"""The client: one verb a job. What it says and when belongs to the rooms below; it only brings them together."""

import functools
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypedDict, TypeVar, Unpack, overload

import attrs

from ._polling import PerLoopPollers, Timeout, is_final, schedule_for, timeout_seconds, tracking_ids_of
from ._read_api import ReadApi, resolve_target
from ._requests import SendGuard, build_request
from ._search import Filter, FilterField, FlowSearch, OtpSearch
from ._search.base import DEFAULT_PAGE_SIZE
from ._search.query import build_flow_query
from ._send_all import SendResult, send_each
from ._send_errors import error_for_outcome, error_for_receipt
from ._transport import Transport
from ._wire.routes import ROUTES
from .config import Config
from .errors import DeliveryUnknown, InvalidConfig, Outcome, Rejected
from .flows import AnyFlow, Endpoint, OtpFlow, StandardFlow, TransactionalFlow, ViberOtpMessage
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
    ViberOtpReceipt,
    ViberOtpRecord,
)
from .secret import scrub_traceback

_T = TypeVar("_T")
_NO_RECEIPT = (str, Rejected)  # a tuple: a union is made anew, and looked through more slowly, each time


class SendOptions(TypedDict, total=False):
    """What `RouteeClient.send` may be told beside the flow."""

    deadline: timedelta | None
    on_unknown: OnUnknown
    should_send: SendGuard | None


class RouteeClient:
    """Sends flows to Routee and follows them.

    A client may be made at import time and used in several event loops: each has connections and a token of its own,
    made on first use and closed by `aclose()`, by `async with`, or at the latest when the loop ends.

        async with RouteeClient.from_env() as routee:
            receipt = await routee.send(flow)
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
        """A client with the settings of `Config.from_env`. Raises `InvalidConfig` that names what is missing."""
        return cls(Config.from_env(environ, **settings), reconciler=reconciler)

    @property
    def config(self) -> Config:
        """The settings that the client was made with."""
        return self._config

    def with_options(self, **settings: Any) -> Self:
        """A client with some settings of `Config` changed, and with connections and a token of its own."""
        return type(self)(attrs.evolve(self._config, **settings), reconciler=self._reconciler)

    def __repr__(self) -> str:
        return f"RouteeClient({self._config.api_url})"

    @overload
    async def send(self, flow: StandardFlow | TransactionalFlow, **how: Unpack[SendOptions]) -> FlowReceipt: ...
    @overload
    async def send(self, flow: OtpFlow, **how: Unpack[SendOptions]) -> OtpReceipt: ...
    @overload
    async def send(self, flow: ViberOtpMessage, **how: Unpack[SendOptions]) -> ViberOtpReceipt: ...
    async def send(
        self,
        flow: AnyFlow,
        *,
        deadline: timedelta | None = None,
        on_unknown: OnUnknown = OnUnknown.RAISE,
        should_send: SendGuard | None = None,
    ) -> AnyReceipt:
        """Send a flow, once, and return Routee's receipt for it.

        `deadline` says after how long from now the message is worth nothing: it does not leave later than that, and the
        ttls of its steps shrink to what is left of it. Where that is too little, `DeadlinePassed` is raised.
        `should_send` is asked right before the first byte leaves, at each try; a no is raised as `Withdrawn`.

        Raises `NotSent` where nothing reached Routee, `Rejected` where it answered no, and `DeliveryUnknown` where it
        may have accepted the message: that one must not be sent again blindly. With `OnUnknown.RECONCILE` the client's
        reconciler is asked for such a message first. A message is tried again only where no byte of it can have left,
        or Routee refused it for now.

        A caller who is cancelled before the first byte leaves has sent nothing. After it the send goes on alone: an
        observer learns its outcome, and `aclose()` waits for it.
        """
        call = build_request(flow, deadline, should_send)
        reconciler = None if on_unknown is OnUnknown.RAISE else self._reconciler_for(on_unknown)
        outcome, evidence = await self._transport.send_request(call)
        answer = evidence.response
        if outcome is Outcome.ACCEPTED and answer is not None:
            receipt = ROUTES[flow.endpoint].parse_receipt(answer.body)
            if not isinstance(receipt, _NO_RECEIPT):
                return receipt
            error = error_for_receipt(flow, answer, receipt)
        else:
            error = error_for_outcome(flow, outcome, evidence)
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
        """Send many flows, at most `concurrency` at a time (`pool_size` if omitted), and yield what became of each.

        `rate` is how many are begun a second at most, and `deadline` what `send` is given for each.

        Flows are drawn as they are needed, so that an endless source costs constant memory. They come in the order in
        which they end. No flow's failure raises: it stands in `SendResult.error`. Closing the iterator draws no more flows
        and lets those under way end; their outcomes are then told to nobody.
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
        """What has become of a message so far: by its receipt, by an earlier record, or by its id and its endpoint.

        The id of a failover OTP may be its flow id or the tracking id of one of its steps. Raises `NotFound` for an
        unknown id, and `NotSent`, `Rejected` or `NoResponse` as every reading call does; all of them are safe to repeat.
        """
        return await self._read_api.track(*resolve_target("track", message, endpoint))

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
        """The record of a message once it is final, or once `until(record)` is true; it is named as for `track`.

        Routee is asked often at first and after each ttl of the receipt, and seldom between. All who wait for one flow
        share its questions, and all waits of an event loop the rate `Config.poll_rate`. A callback that `notify` is
        told of ends the wait at once, also one of the last minute. `timeout` is a `timedelta` or a number of seconds.

        A failover OTP flow may be `Succeeded` while its SMS is still queued: `OtpRecord.final` shows how to wait for
        the person to have it. An `until` that an ended flow does not satisfy is asked about to the timeout.

        Raises `WaitTimeout` with the last record seen, and what no further question can change: `NotFound` for an id
        that Routee does not know (a receipt's may take it a minute), another `Rejected`, `ClientClosed`. Questions that
        get no answer are asked again.
        """
        identity, endpoint = resolve_target("wait", message, endpoint)
        record: FlowRecord | OtpRecord | ViberOtpRecord = await self._pollers.for_running_loop().wait(
            identity,
            functools.partial(self._read_api.track, identity, endpoint),
            schedule_for(message),
            accepted=not isinstance(message, str),
            timeout=timeout_seconds(timeout),
            until=is_final if until is None else until,
        )
        return record

    def notify(self, record: FlowRecord | OtpRecord | ViberOtpRecord) -> None:
        """Take a record that came by callback: whoever waits for that flow learns of it at once.

        It may be called in any thread. It believes what it is given: who posted it, the receiver has to know.
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
        """The standard and transactional flows of which all this is true: `async for record in routee.search(...)`.

        `since` is the first moment at which they may have been accepted and `until` the first one at which not any
        more; both need a time zone. Which range Routee looks through without them is not documented. Without `until` it
        is asked up to five minutes from now, for clocks differ. `type` is a channel of any step. `where` holds further
        conditions, with all of Routee's operators.

        Raises `InvalidSearch` at once for what cannot work, and while it is read what every reading call raises.
        """
        terms = {
            FilterField.TO: to,
            FilterField.STATUS: status,
            FilterField.TYPE: type,
            FilterField.TERMINATION_CHANNEL: termination_channel,
            FilterField.FLOW_KIND: flow_kind,
        }
        question = build_flow_query(terms, where, since, until, datetime.now(UTC))
        return FlowSearch(self._read_api.fetch, question, page_size)

    def search_otp(
        self,
        *,
        status: FlowStatus | str | None = None,
        tag: str | None = None,
        phone_number: str | None = None,
        flow_id: str | None = None,
        page_size: int = DEFAULT_PAGE_SIZE,
    ) -> OtpSearch:
        """The failover OTP flows of which all this is true; `tag` is the label of a step. Times cannot be asked for.

        Raises as `search` does. Routee documents a 404 for this list and not what it means: `NotFound` may well say
        that there are none.
        """
        terms = {"status": status, "tag": tag, "phone_number": phone_number, "flow_id": flow_id}
        return OtpSearch(self._read_api.fetch, terms, page_size)

    async def balance(self) -> Balance:
        """What the account still holds. Raises as every reading call does; it is safe to repeat."""
        return await self._read_api.fetch("/accounts/me/balance", Balance.from_dict)

    async def otp_templates(self) -> Any:
        """The templates for failover OTP flows, as Routee gives them: no public page describes the answer's shape."""
        return await self._read_api.fetch_json("/failover-otp/otp/templates")

    async def aclose(self) -> None:
        """Close the connections of the running event loop. A send in this loop raises `ClientClosed` from then on.

        Whatever waits for a turn, a token or a connection ends in `ClientClosed` at once; what waits for another try
        ends in what its last try showed, and a reading call that has left in `NoResponse`. The answers to messages that
        have left are waited for, up to `shutdown_timeout`; a send that has none by then ends in `DeliveryUnknown`.
        """
        await self._pollers.aclose()
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        self._transport.reopen()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.aclose()

    def _reconciler_for(self, on_unknown: OnUnknown) -> Reconciler | None:
        if on_unknown not in [*OnUnknown]:
            raise InvalidConfig("on_unknown is OnUnknown.RAISE or OnUnknown.RECONCILE; nothing was sent")
        if on_unknown == OnUnknown.RAISE:
            return None
        if self._reconciler is None:
            raise InvalidConfig("on_unknown=RECONCILE needs RouteeClient(config, reconciler=...); nothing was sent")
        return self._reconciler
