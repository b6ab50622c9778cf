"""`routee-failover bulk resume RUN.sqlite`: a run goes on with what its ledger says, and nothing is sent twice."""

import asyncio
from pathlib import Path

import attrs
import typer

from ...config import Config
from ...errors import InvalidSource
from ..failures import SoFar, told
from ..status import Status
from ..terminal import clean
from .conduct import Run
from .options import (
    Concurrency,
    Deadline,
    Hours,
    Json,
    Ledger,
    MaxMessages,
    Rate,
    Recover,
    SettleAfter,
    Suppress,
    Unknown,
    options,
)
from .plan import Options, Plan, account_of, digest_of, service_of


def resume(
    *,
    ledger: Ledger,
    rate: Rate = None,
    concurrency: Concurrency = None,
    hours: Hours = None,
    deadline: Deadline = None,
    suppress: Suppress = None,
    max_messages: MaxMessages = None,
    unknown: Unknown = None,
    settle_after: SettleAfter = None,
    recover: Recover = False,
    as_json: Json = False,
) -> None:
    """Go on with a run that was stopped, killed or paused. Options that are not given stay as they were.

    The recipients and the flow are read from where they were; the flow must not
    have changed.

    Example: [cyan]routee-failover bulk resume people.sqlite --rate 20[/]
    """
    status = Status.FINE
    so_far = SoFar()
    with told(so_far):
        given = options(
            rate=rate,
            concurrency=concurrency,
            hours=hours,
            deadline=deadline,
            suppress=suppress,
            max_messages=max_messages,
            unknown=unknown,
            settle_after=settle_after,
        )
        must_exist(ledger)
        config = Config.from_env()
        run = Run(
            ledger=ledger, plan_after=lambda former: _again(former, given, config), as_json=as_json, recover=recover
        )
        status = asyncio.run(run.conduct(so_far))
    if status is not Status.FINE:
        raise typer.Exit(status)


def must_exist(ledger: str) -> None:
    """Raise `InvalidSource` where there is no such file, before anything makes one."""
    if not Path(ledger).is_file():
        raise InvalidSource(
            f"there is no ledger {clean(ledger)}; nothing was sent. A run is begun with: "
            "routee-failover bulk run RECIPIENTS --flow FLOW"
        )


def planned(former: Plan | None) -> Plan:
    """The plan that a ledger holds. Raises `InvalidSource` where it holds none."""
    if former is None:
        raise InvalidSource(
            "no run was begun in this ledger from the command line; nothing was sent. A run is begun with: "
            "routee-failover bulk run RECIPIENTS --flow FLOW"
        )
    return former


def _again(former: Plan | None, given: Options, config: Config) -> Plan:
    former = planned(former)
    now = attrs.evolve(
        former,
        digest=digest_of(former.flow),
        service=service_of(config),
        account=account_of(config),
        options=given,
    )
    return now.following(former)
