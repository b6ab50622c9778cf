"""What a test asks of a running sandbox, and does to it, in Python; `control/` has the same for other languages."""

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
"""How a message can be made to end by hand."""


class SandboxControls:
    """The part of `Sandbox` that tests work with. Where it has a thread of its own, any thread may call it."""

    inbox: Inbox
    """The phones of the people whom flows are sent to."""

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
        """The flows that were accepted, oldest first; the newest `max_flows` of them."""
        return list(self._flow_store)

    @property
    @runs_on_loop
    def counts(self) -> SandboxCounters:
        """What the sandbox has seen up to now; a copy, which does not go on counting."""
        return attrs.evolve(self._counters)

    @property
    @runs_on_loop
    def store_failure(self) -> str | None:
        """Why nothing is kept in the store's file any more; None while all is well, or where there is no store."""
        return self._store.failure

    @property
    @runs_on_loop
    def callbacks(self) -> list[CallbackRecord]:
        """What was posted to the callback and inbound addresses of the accepted flows, or is to be; oldest first."""
        return list(self._callback_dispatcher.log)

    @runs_on_loop
    def redeliver(self, callback_id: str) -> CallbackRecord:
        """Post a callback again now, whatever came of it; if it is not answered, the retries start anew.

        Raises `SandboxError` when there is no such callback.
        """
        try:
            return self._callback_dispatcher.redeliver(callback_id)
        except ActionConflict as error:
            raise SandboxError(str(error)) from None

    @runs_on_loop
    def reply(self, flow_id: str, text: str, *, position: int | None = None) -> CallbackRecord:
        """Have the person who got a Viber message write back: the `inboundUrl` of its step is told.

        `position` is the step's among those of the flow in the order of trying, counted from 0; without it, the message
        that was sent last is answered. Raises `SandboxError` when there is no such flow, when the message was not
        delivered, or when its step has no `inboundUrl`.
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
        """Have a message end now, whatever was scripted, and give the flow as it goes on.

        `position` is the step's, as for `reply`; without it, the message that was sent last ends. Raises `SandboxError`
        when there is no such flow, and when the message was not sent yet or can no longer end like this.
        """
        flow = self._flow_store.find(flow_id)
        if flow is None:
            raise SandboxError("there is no such flow")
        if action not in ACTION_OUTCOMES:
            raise SandboxError(f"a message ends by one of {', '.join(ACTION_OUTCOMES)}")
        journeys = self._lifecycle
        try:
            return journeys.force_outcome(
                flow, journeys.latest_position(flow) if position is None else position, ACTION_OUTCOMES[action]
            )
        except ActionConflict as error:
            raise SandboxError(str(error)) from None

    @runs_on_loop
    def reset(self) -> None:
        """Forget everything: flows, callbacks, rules, settings and counts. The clock runs on, and tokens stay good."""
        reset_state(self._lifecycle, self._rules, self._settings, self._counters)

    @property
    @runs_on_loop
    def speed(self) -> float:
        """How many times faster than real time virtual time passes; 0 when it stands still."""
        return self._lifecycle.clock.speed

    @speed.setter
    @runs_on_loop
    def speed(self, speed: float) -> None:
        """Let time pass at another speed from now on. Raises `SandboxError` for one that cannot be."""
        try:
            self._scheduler.set_speed(speed)
        except (ValueError, TypeError, OverflowError) as error:
            raise SandboxError(str(error)) from None
        self._event_bus.publish(ClockChanged())

    @awaits_on_loop
    async def advance(self, by: timedelta) -> None:
        """Let so much virtual time pass at once: what is due in it happens in order, callbacks among it, to its end.

        Raises `SandboxError` for what would put the clock back, and for a bare number.
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
        """Make a rule for the flows that come from now on, and give its id; of all rules the newest that matches wins.

        It is about the flows to `to` (a number, or the beginning of one and a `*`) and to `endpoint`; both default to
        all. `viber`, `sms` and `voice` say what becomes of their messages, `callbacks` of the callbacks. `answer` is
        given in the place of taking the flow, a number as an HTTP status. `fault` lets the flow be taken and its answer
        not arrive. A rule with a `rate` applies to that share, the same one for the same `seed`; one with `times` so
        often and then no more. `POST /sandbox/rules` takes the same words.

        Raises `SandboxError` for a rule that cannot be.
        """
        said = as_json(
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
        return add_rule(self._rules, said)

    @runs_on_loop
    def forget(self, rule: str | None = None) -> None:
        """Forget the rule of this id, or all rules. Flows on their way go on as it said."""
        if rule is None:
            self._rules.clear()
        else:
            self._rules.remove(rule)

    @property
    @runs_on_loop
    def rules(self) -> list[dict[str, Any]]:
        """The rules in JSON, newest first, each with its id and how often it has applied."""
        return [rule.as_json() for rule in self._rules]

    @property
    @runs_on_loop
    def search_lag(self) -> timedelta:
        """The virtual time after which searches and lists find a flow; by its id it is found at once."""
        return timedelta(seconds=self._settings.search_lag)

    @search_lag.setter
    @runs_on_loop
    def search_lag(self, lag: timedelta) -> None:
        """Set it. Raises `SandboxError` for a time that is negative, and for a bare number."""
        seconds = to_seconds(lag)
        if seconds < 0:
            raise SandboxError("search_lag must not be negative")
        self._settings.search_lag = seconds

    @runs_on_loop
    def revoke_tokens(self) -> None:
        """End every token that was handed out, as the portal can: the next request with one is answered 401."""
        self._tokens.revoke_all()
