"""A flow on its way: sent once, then asked after until it has ended. How that looks is decided elsewhere."""

import asyncio
from collections.abc import Callable
from enum import Enum

import attrs

from ...client import RouteeClient
from ...errors import InvalidFlow, Rejected, RouteeError
from ..deliveries import (
    DELIVERED_STATUSES,
    FAILED_STATUSES,
    AnyRecord,
    MessageDelivery,
    deliveries_of,
    humanize_status,
    status_reason,
)
from ..error_output import error_lines
from ..terminal import printable
from .scenarios import SMS, VIBER, DemoScenario


class ScenarioResult(Enum):
    """How a flow of the demo ends."""

    DELIVERED = "delivered"
    FAILED = "failed"
    REJECTED = "refused by Routee"
    INVALID = "refused before sending"
    LOST = "lost"
    """Nobody knows how it went on: the sandbox could not be asked."""


@attrs.define
class ScenarioRun:
    """One scene as far as it has been played."""

    scenario: DemoScenario
    deliveries: tuple[MessageDelivery, ...] = ()
    result: ScenarioResult | None = None
    ended_at: float = 0.0
    reason: list[str] = attrs.field(factory=list)
    """Why the flow was refused, failed or lost, in the words of the library."""

    @property
    def failed_over(self) -> bool:
        """Whether another channel was tried."""
        return len(self.deliveries) > 1

    def finish(self, result: ScenarioResult, *reason: str) -> None:
        """The last word."""
        self.result = result
        self.reason = [printable(line) for line in reason]

    def explanation(self) -> list[str]:
        """Why it went on to another channel, or came to nothing; empty for what was delivered at once."""
        wrong = [f"{_name(leg)} said {_said(leg)}" for leg in self.deliveries if leg.status in FAILED_STATUSES]
        if not wrong or self.result not in {ScenarioResult.DELIVERED, ScenarioResult.FAILED}:
            return self.reason
        if self.result is ScenarioResult.DELIVERED:
            then = "sent an SMS" if self.deliveries[-1].channel == SMS else "called"
            return [f"{', '.join(wrong)}; so Routee {then}"]
        return [", ".join(wrong) + (f": {self.reason[0]}" if self.reason else "; it has no other channel")]


ChangeCallback = Callable[[ScenarioRun, str], None]
"""Takes what has just happened to a journey, in one line."""


async def run_scenario(
    run: ScenarioRun, client: RouteeClient, on_change: ChangeCallback, now: Callable[[], float], polling_interval: float
) -> None:
    """Send the flow of a journey and ask after it until it has ended. No error of the library leaves here."""
    try:
        flow = run.scenario.build_flow(run.scenario.recipient)
        receipt = await client.send(flow)
    except RouteeError as error:
        run.finish(_refusal(error), *error_lines(error))
        run.ended_at = now()
        told = run.reason[0]
        on_change(run, told if isinstance(error, Rejected) else f"not sent: {told}")
        return
    on_change(run, "accepted")
    try:
        while not run.result:
            _see(run, await client.track(receipt), on_change)
            run.ended_at = now()
            if not run.result:
                await asyncio.sleep(polling_interval)
    except RouteeError as error:
        run.finish(ScenarioResult.LOST, str(error))
        on_change(run, f"lost: {run.reason[0]}")


def _refusal(error: RouteeError) -> ScenarioResult:
    if isinstance(error, InvalidFlow):
        return ScenarioResult.INVALID
    return ScenarioResult.REJECTED if isinstance(error, Rejected) else ScenarioResult.LOST


def _see(run: ScenarioRun, record: AnyRecord, on_change: ChangeCallback) -> None:
    before, run.deliveries = run.deliveries, deliveries_of(record)
    if run.deliveries != before:
        changed = [leg for leg in run.deliveries if leg not in before]
        on_change(run, ", then ".join(_tale(leg) for leg in changed))
    if record.final:
        delivered = any(leg.status in DELIVERED_STATUSES for leg in run.deliveries)
        reason = status_reason(record)
        run.finish(ScenarioResult.DELIVERED if delivered else ScenarioResult.FAILED, *([reason] if reason else []))


def _tale(delivery: MessageDelivery) -> str:
    return f"{_name(delivery)} {humanize_status(delivery.status or '')}" + (
        f" ({_said(delivery)})" if delivery.status in FAILED_STATUSES else ""
    )


def _name(delivery: MessageDelivery) -> str:
    return "Viber" if delivery.channel == VIBER else "SMS" if delivery.channel == SMS else "Voice"


def _said(delivery: MessageDelivery) -> str:
    return f'"{printable(delivery.detail or delivery.status)}"'
