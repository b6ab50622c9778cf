"""Run of one scenario: sends its flow once, then polls it until it is final. Display is separate."""

import asyncio
from collections.abc import Callable
from enum import Enum

import attrs

from ...client import RouteeClient
from ...errors import InvalidFlow, Rejected, RouteeError
from ..delivery_view import (
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
    """Result of a scenario."""

    DELIVERED = "delivered"
    FAILED = "failed"
    REJECTED = "rejected by Routee"
    INVALID = "invalid, not sent"
    LOST = "lost"
    """Result unknown: the send or a status request failed."""


@attrs.define
class ScenarioRun:
    """State of one scenario."""

    scenario: DemoScenario
    deliveries: tuple[MessageDelivery, ...] = ()
    result: ScenarioResult | None = None
    ended_at: float = 0.0
    reason: list[str] = attrs.field(factory=list)
    """Why the flow was rejected, failed or lost, in the library's words."""

    @property
    def failed_over(self) -> bool:
        """Whether another channel was tried."""
        return len(self.deliveries) > 1

    def finish(self, result: ScenarioResult, *reason: str) -> None:
        """Set the result."""
        self.result = result
        self.reason = [printable(line) for line in reason]

    def explanation(self) -> list[str]:
        """Return why the flow failed over or failed; empty if the first channel delivered it."""
        failures = [
            f"{_name(delivery)} reported {_quoted_detail(delivery)}"
            for delivery in self.deliveries
            if delivery.status in FAILED_STATUSES
        ]
        if not failures or self.result not in {ScenarioResult.DELIVERED, ScenarioResult.FAILED}:
            return self.reason
        if self.result is ScenarioResult.DELIVERED:
            then = "sent an SMS" if self.deliveries[-1].channel == SMS else "called"
            return [f"{', '.join(failures)}, so Routee {then}"]
        return [", ".join(failures) + (f": {self.reason[0]}" if self.reason else "; no other channel")]


ChangeCallback = Callable[[ScenarioRun, str], None]
"""Called with a run and the change that it has just made, as one line."""


async def run_scenario(
    run: ScenarioRun, client: RouteeClient, on_change: ChangeCallback, now: Callable[[], float], polling_interval: float
) -> None:
    """Send the flow of a run and poll it until it is final. Errors of the library end the run; none is raised."""
    try:
        flow = run.scenario.build_flow(run.scenario.recipient)
        receipt = await client.send(flow)
    except RouteeError as error:
        run.finish(_result_for_error(error), *error_lines(error))
        run.ended_at = now()
        reason = run.reason[0]
        on_change(run, reason if isinstance(error, Rejected) else f"not sent: {reason}")
        return
    on_change(run, "accepted")
    try:
        while not run.result:
            _apply_record(run, await client.track(receipt), on_change)
            run.ended_at = now()
            if not run.result:
                await asyncio.sleep(polling_interval)
    except RouteeError as error:
        run.finish(ScenarioResult.LOST, str(error))
        on_change(run, f"lost: {run.reason[0]}")


def _result_for_error(error: RouteeError) -> ScenarioResult:
    if isinstance(error, InvalidFlow):
        return ScenarioResult.INVALID
    return ScenarioResult.REJECTED if isinstance(error, Rejected) else ScenarioResult.LOST


def _apply_record(run: ScenarioRun, record: AnyRecord, on_change: ChangeCallback) -> None:
    previous, run.deliveries = run.deliveries, deliveries_of(record)
    if run.deliveries != previous:
        changed = [delivery for delivery in run.deliveries if delivery not in previous]
        on_change(run, ", then ".join(_change_text(delivery) for delivery in changed))
    if record.final:
        delivered = any(delivery.status in DELIVERED_STATUSES for delivery in run.deliveries)
        reason = status_reason(record)
        run.finish(ScenarioResult.DELIVERED if delivered else ScenarioResult.FAILED, *([reason] if reason else []))


def _change_text(delivery: MessageDelivery) -> str:
    return f"{_name(delivery)} {humanize_status(delivery.status or '')}" + (
        f" ({_quoted_detail(delivery)})" if delivery.status in FAILED_STATUSES else ""
    )


def _name(delivery: MessageDelivery) -> str:
    return "Viber" if delivery.channel == VIBER else "SMS" if delivery.channel == SMS else "Voice"


def _quoted_detail(delivery: MessageDelivery) -> str:
    return f'"{printable(delivery.detail or delivery.status)}"'
