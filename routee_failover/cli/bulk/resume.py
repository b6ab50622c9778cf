"""`routee-failover bulk resume RUN.sqlite`: a run goes on with what its ledger says, and nothing is sent twice."""

import asyncio
import shlex
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
    reconcile_after: SettleAfter = None,
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
            reconcile_after=reconcile_after,
        )
        must_exist(ledger)
        config = Config.from_env()
        run = Run(
            ledger=ledger,
            plan_after=lambda former: _again(former, given, config, ledger),
            as_json=as_json,
            recover=recover,
        )
        status = asyncio.run(run.conduct(so_far))
    if status is not Status.FINE:
        raise typer.Exit(status)


def must_exist(ledger: str) -> None:
    """Raise `InvalidSource` where there is no such file, before anything makes one."""
    if not Path(ledger).is_file():
        raise InvalidSource(
            f"there is no ledger {clean(ledger)}; nothing was sent. If it was moved or renamed, say where it is: with "
            "a new ledger everyone who has a message would get a second one. A list that was never sent is sent by: "
            "routee-failover bulk run RECIPIENTS --flow FLOW"
        )


def planned(former: Plan | None, ledger: str) -> Plan:
    """The plan that a ledger holds. Raises `InvalidSource` where it holds none."""
    if former is None:
        raise InvalidSource(
            "no run was begun in this ledger from the command line; nothing was sent. A run in it is begun with: "
            f"{_run_command(ledger)}"
        )
    return former


def _run_command(ledger: str) -> str:
    return f"routee-failover bulk run RECIPIENTS --flow FLOW --ledger {shlex.quote(clean(ledger))}"


def _check_files(plan: Plan, ledger: str) -> None:
    """Raise `InvalidSource`, with how to go on, where a file that the run needs is not where it was."""
    missing = next((path for path in (plan.recipients, plan.flow) if not path.exists()), None)
    if missing is not None:
        raise InvalidSource(
            f"{clean(missing)} cannot be read: it is not there any more; nothing was sent. Put it back, or say where "
            f"the files of this run are: {_run_command(ledger)}"
        )


def _again(former: Plan | None, given: Options, config: Config, ledger: str) -> Plan:
    former = planned(former, ledger)
    _check_files(former, ledger)
    now = attrs.evolve(
        former,
        digest=digest_of(former.flow),
        service=service_of(config),
        account=account_of(config),
        options=given,
    )
    return now.following(former)
