"""What is said before the first message of a run: how many rows, what limits it, and what the account holds."""

import asyncio
import contextlib
from typing import NamedTuple

from ...bulk.suppression import SuppressionList
from ...client import RouteeClient
from ...config import Config
from ...errors import RouteeError
from ...records import Balance
from ..terminal import Terminal, clean
from .plan import Plan
from .view.stage import JsonLines, Stage
from .view.tally import number

BALANCE_WITHIN = 3.0
"""Seconds for which a run waits at most to be told the balance."""


async def balance_of(config: Config) -> Balance | None:
    """What the account holds, where it may see that and is told soon.

    It is asked by a client of its own, whose throttle pause or circuit breaker holds no message.
    """
    with contextlib.suppress(RouteeError, TimeoutError):
        async with asyncio.timeout(BALANCE_WITHIN), RouteeClient(config) as routee:
            return await routee.balance()
    return None


class Start(NamedTuple):
    """What is known of a run before its first message."""

    total: int
    settled: int | None
    """How many rows an earlier run has dealt with, if there was one."""
    suppressed: SuppressionList | None
    balance: Balance | None
    note: str | None
    """What has to be known of the flow before it is sent."""


def announce(stage: Stage, console: Terminal, plan: Plan, ledger: str, start: Start) -> None:
    """Say what begins."""
    suppressed, balance, note = start.suppressed, start.balance, start.note
    limit = plan.options.max_messages or None
    if isinstance(stage, JsonLines):
        stage.print(
            {
                "event": "started",
                "recipients": str(plan.recipients),
                "flow": str(plan.flow),
                "endpoint": plan.endpoint,
                "service": plan.service,
                "total": start.total,
                "resumed": start.settled is not None,
                "settled": start.settled or 0,
                "suppression_list": None if suppressed is None else len(suppressed),
                "max_messages": limit,
                "balance": None if balance is None else {"amount": balance.amount, "currency": balance.currency},
                "note": note,
            }
        )
        return
    console.say((f"{title_of(plan, ledger)}: {number(start.total)} rows, to {clean(plan.service)}.", "bold"))
    if start.settled:
        console.say(
            f"It goes on with a run that was begun before: {number(start.settled)} rows are dealt with already."
        )
    if suppressed is not None:
        are = "number is" if len(suppressed) == 1 else "numbers are"
        console.say(f"{number(len(suppressed))} {are} on the suppression list, and not written to.")
    if limit is not None:
        console.say(f"At most {number(limit)} messages are sent (--max-messages), those of earlier runs included.")
    if balance is not None and balance.amount is not None:
        console.say(f"The account holds {balance.amount:,.2f} {clean(balance.currency or '')}".rstrip() + ".")
    if note is not None:
        console.say((note, "yellow"))


def title_of(plan: Plan, ledger: str) -> str:
    """A run in a few words."""
    return f"{clean(plan.recipients.name)} as {plan.endpoint}, kept in {clean(ledger)}"
