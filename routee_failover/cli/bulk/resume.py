"""`routee-failover bulk resume RUN.sqlite`: a run goes on with what its ledger says, and nothing is sent twice."""

import asyncio
import shlex
from pathlib import Path

import attrs
import typer

from ...config import Config
from ...errors import InvalidSource
from ..error_output import ErrorContext, handle_errors
from ..exit_codes import ExitCode
from ..terminal import printable
from .options import (
    ConcurrencyOption,
    DeadlineOption,
    HoursOption,
    JsonOption,
    LedgerArgument,
    MaxMessagesOption,
    RateOption,
    ReconcileAfterOption,
    RecoverOption,
    SuppressOption,
    UnknownOption,
    build_options,
)
from .run_config import RunConfig, RunOptions, account_digest, file_digest, service_name
from .runner import RunCommand


def resume(
    *,
    ledger: LedgerArgument,
    rate: RateOption = None,
    concurrency: ConcurrencyOption = None,
    hours: HoursOption = None,
    deadline: DeadlineOption = None,
    suppress: SuppressOption = None,
    max_messages: MaxMessagesOption = None,
    unknown: UnknownOption = None,
    reconcile_after: ReconcileAfterOption = None,
    recover: RecoverOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run that was stopped, killed or paused. Options that are not given stay as they were.

    The recipients and the flow are read from where they were; the flow must not
    have changed.

    Example: [cyan]routee-failover bulk resume people.sqlite --rate 20[/]
    """
    status = ExitCode.OK
    so_far = ErrorContext()
    with handle_errors(so_far):
        given = build_options(
            rate=rate,
            concurrency=concurrency,
            hours=hours,
            deadline=deadline,
            suppress=suppress,
            max_messages=max_messages,
            unknown=unknown,
            reconcile_after=reconcile_after,
        )
        ensure_ledger_exists(ledger)
        config = Config.from_env()
        run = RunCommand(
            ledger=ledger,
            resolve_config=lambda former: _resumed_config(former, given, config, ledger),
            as_json=as_json,
            recover=recover,
        )
        status = asyncio.run(run.execute(so_far))
    if status is not ExitCode.OK:
        raise typer.Exit(status)


def ensure_ledger_exists(ledger: str) -> None:
    """Raise `InvalidSource` where there is no such file, before anything makes one."""
    if not Path(ledger).is_file():
        raise InvalidSource(
            f"there is no ledger {printable(ledger)}; nothing was sent. If it was moved or renamed, say where it is: with "
            "a new ledger everyone who has a message would get a second one. A list that was never sent is sent by: "
            "routee-failover bulk run RECIPIENTS --flow FLOW"
        )


def require_config(previous: RunConfig | None, ledger: str) -> RunConfig:
    """The plan that a ledger holds. Raises `InvalidSource` where it holds none."""
    if previous is None:
        raise InvalidSource(
            "no run was begun in this ledger from the command line; nothing was sent. A run in it is begun with: "
            f"{_run_command(ledger)}"
        )
    return previous


def _run_command(ledger: str) -> str:
    return f"routee-failover bulk run RECIPIENTS --flow FLOW --ledger {shlex.quote(printable(ledger))}"


def _check_files(config: RunConfig, ledger: str) -> None:
    """Raise `InvalidSource`, with how to go on, where a file that the run needs is not where it was."""
    missing = next((path for path in (config.recipients, config.flow) if not path.exists()), None)
    if missing is not None:
        raise InvalidSource(
            f"{printable(missing)} cannot be read: it is not there any more; nothing was sent. Put it back, or say where "
            f"the files of this run are: {_run_command(ledger)}"
        )


def _resumed_config(previous: RunConfig | None, given: RunOptions, config: Config, ledger: str) -> RunConfig:
    previous = require_config(previous, ledger)
    _check_files(previous, ledger)
    now = attrs.evolve(
        previous,
        digest=file_digest(previous.flow),
        service=service_name(config),
        account=account_digest(config),
        options=given,
    )
    return now.continued_from(previous)
