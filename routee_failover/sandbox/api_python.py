"""Python API of a running sandbox; `admin/` has the same over HTTP, for other languages."""

from datetime import timedelta
from typing import Any, Literal

import attrs

from .api.tokens import TokenService
from .callbacks.dispatcher import CallbackDispatcher
from .callbacks.records import CallbackRecord
from .context import SandboxCounters, reset_state
from .errors import SandboxError
from .inbox import Inbox
from .loop_thread import LoopThread, awaits_on_loop, runs_on_loop
from .scripting import (
    CallbackScript,
    FaultName,
    MessageScript,
    ResponseScript,
    RuleEndpoint,
    add_rule,
    as_json,
    to_seconds,
)
from .simulation.event_bus import ClockChanged, EventBus
from .simulation.flow_store import AcceptedFlow, FlowStore
from .simulation.lifecycle import ACTION_OUTCOMES, ActionConflict, FlowLifecycle
from .simulation.outcomes import OutcomeName
from .simulation.rules import Rules
from .simulation.scheduler import Scheduler
from .simulation.settings import SimulationSettings
from .store.base import Store

Action = Literal["deliver", "seen", "fail", "expire"]
"""Actions that force the outcome of a message."""


class SandboxControls:
    """The part of `Sandbox` that tests use. Where the sandbox has its own thread, any thread may call it."""

    inbox: Inbox
    """The messages that recipients received."""

    _scheduler: Scheduler
    _flow_store: FlowStore
    _callback_dispatcher: CallbackDispatcher
    _counters: SandboxCounters
    _event_bus: EventBus
    _loop_thread: LoopThread
    _lifecycle: FlowLifecycle
    _rules: Rules
    _settings: SimulationSettings
    _store: Store
    _tokens: TokenService

    @property
    @runs_on_loop
    def accepted(self) -> list[AcceptedFlow]:
        """The accepted flows, oldest first; the newest `max_flows` of them."""
        return list(self._flow_store)

    @property
    @runs_on_loop
    def counts(self) -> SandboxCounters:
        """The counters of the sandbox; a copy, which is not updated."""
        return attrs.evolve(self._counters)

    @property
    @runs_on_loop
    def store_failure(self) -> str | None:
        """Reason why nothing is saved in the store's file any more; None while saving works, or without a store."""
        return self._store.failure

    @property
    @runs_on_loop
    def callbacks(self) -> list[CallbackRecord]:
        """The callbacks of the accepted flows, posted, pending and dropped, inbound replies included; oldest first."""
        return list(self._callback_dispatcher.log)

    @runs_on_loop
    def redeliver(self, callback_id: str) -> CallbackRecord:
        """Post a callback again now, whatever its state; unless it succeeds, its retries start over.

        Raises `SandboxError` when there is no such callback.
        """
        try:
            return self._callback_dispatcher.redeliver(callback_id)
        except ActionConflict as error:
            raise SandboxError(str(error)) from None

    @runs_on_loop
    def reply(self, flow_id: str, text: str, *, position: int | None = None) -> CallbackRecord:
        """Simulate a reply of the recipient to a Viber message: post it to the `inboundUrl` of its step.

        `position` is that of the step in the order in which steps are attempted, counted from 0; without it, the reply
        is to the latest message. Raises `SandboxError` when there is no such flow, when the message was not delivered,
        or when its step has no `inboundUrl`.
        """
        flow = self._flow_store.find(flow_id)
        if flow is None:
            raise SandboxError("there is no such flow")
        try:
            return self._callback_dispatcher.reply(flow, text, position=position)
        except ActionConflict as error:
            raise SandboxError(str(error)) from None

    @runs_on_loop
    def act(self, flow_id: str, action: Action, *, position: int | None = None) -> AcceptedFlow:
        """Force the outcome of a message now, whatever was scripted, and return the changed flow.

        `position` is that of the step, as for `reply`; without it, the action is on the latest message. Raises
        `SandboxError` when there is no such flow, and when the message was not sent yet or can no longer end like this.
        """
        flow = self._flow_store.find(flow_id)
        if flow is None:
            raise SandboxError("there is no such flow")
        if action not in ACTION_OUTCOMES:
            raise SandboxError(f"action must be one of {', '.join(ACTION_OUTCOMES)}")
        lifecycle = self._lifecycle
        try:
            return lifecycle.force_outcome(
                flow, lifecycle.latest_position(flow) if position is None else position, ACTION_OUTCOMES[action]
            )
        except ActionConflict as error:
            raise SandboxError(str(error)) from None

    @runs_on_loop
    def reset(self) -> None:
        """Delete flows, callbacks and rules, and reset settings and counters. Clock and tokens are unaffected."""
        reset_state(self._lifecycle, self._rules, self._settings, self._counters)

    @property
    @runs_on_loop
    def speed(self) -> float:
        """Virtual seconds per real second; 0 when the clock is stopped."""
        return self._lifecycle.clock.speed

    @speed.setter
    @runs_on_loop
    def speed(self, speed: float) -> None:
        """Change the speed of the clock. Raises `SandboxError` for an invalid speed."""
        try:
            self._scheduler.set_speed(speed)
        except (ValueError, TypeError, OverflowError) as error:
            raise SandboxError(str(error)) from None
        self._event_bus.publish(ClockChanged())

    @awaits_on_loop
    async def advance(self, by: timedelta) -> None:
        """Advance the clock: everything that becomes due runs in order, callbacks included, before this returns.

        Raises `SandboxError` for a negative duration, and for a bare number.
        """
        seconds = to_seconds(by)
        try:
            await self._scheduler.advance(seconds)
        except ValueError as error:
            raise SandboxError(str(error)) from None
        self._event_bus.publish(ClockChanged())

    @runs_on_loop
    def script(
        self,
        *,
        to: str | None = None,
        endpoint: RuleEndpoint | None = None,
        viber: OutcomeName | MessageScript | None = None,
        sms: OutcomeName | MessageScript | None = None,
        voice: OutcomeName | MessageScript | None = None,
        response: ResponseScript | int | None = None,
        fault: FaultName | None = None,
        callbacks: CallbackScript | None = None,
        rate: float | None = None,
        seed: int | None = None,
        times: int | None = None,
    ) -> str:
        """Add a rule for the flows that arrive from now on, and return its id; the newest matching rule wins.

        `to` (a number, or a prefix and a `*`) and `endpoint` limit the flows that it matches; by default it matches
        all. `viber`, `sms` and `voice` script the outcomes of their messages, `callbacks` their callbacks. `response`
        is sent instead of accepting the flow; a number is an HTTP status. `fault` breaks the connection, so that no
        complete response arrives; unless it is `reset-before`, the flow is accepted. With `rate`, the rule applies to
        that share of the flows, and to the same ones for the same `seed`; with `times`, it applies that many times at
        most. `POST /sandbox/rules` takes the same members.

        Raises `SandboxError` for an invalid rule, and when there are too many.
        """
        definition = as_json(
            to=to,
            endpoint=endpoint,
            viber=viber,
            sms=sms,
            voice=voice,
            response=ResponseScript(response) if isinstance(response, int) else response,
            fault=fault,
            callbacks=callbacks,
            rate=rate,
            seed=seed,
            times=times,
        )
        return add_rule(self._rules, definition)

    @runs_on_loop
    def forget(self, rule: str | None = None) -> None:
        """Remove the rule of this id, or all rules. Flows in progress keep its decision."""
        if rule is None:
            self._rules.clear()
        else:
            self._rules.remove(rule)

    @property
    @runs_on_loop
    def rules(self) -> list[dict[str, Any]]:
        """The rules in JSON, newest first, each with its id and how many times it applied."""
        return [rule.as_json() for rule in self._rules]

    @property
    @runs_on_loop
    def search_lag(self) -> timedelta:
        """Virtual time after which searches and lists find a flow; by its id it is found immediately."""
        return timedelta(seconds=self._settings.search_lag)

    @search_lag.setter
    @runs_on_loop
    def search_lag(self, lag: timedelta) -> None:
        """Set the lag. Raises `SandboxError` for a negative time, and for a bare number."""
        seconds = to_seconds(lag)
        if seconds < 0:
            raise SandboxError("search_lag must not be negative")
        self._settings.search_lag = seconds

    @runs_on_loop
    def revoke_tokens(self) -> None:
        """Revoke every issued token, as the portal can: the next request with one of them gets a 401."""
        self._tokens.revoke_all()
