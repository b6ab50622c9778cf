"""`routee-failover bulk resume RUN.sqlite`: continues the run of a ledger; nothing is sent twice."""

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
    """Resume a run that was stopped, killed or paused. Options keep their values unless given.

    The recipients and the flow are read from their original paths; the flow
    must be unchanged.

    Example: [cyan]routee-failover bulk resume people.sqlite --rate 20[/]
    """
    exit_code = ExitCode.OK
    context = ErrorContext()
    with handle_errors(context):
        options = build_options(
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
            resolve_config=lambda previous: _resumed_config(previous, options, config, ledger),
            as_json=as_json,
            recover=recover,
        )
        exit_code = asyncio.run(run.execute(context))
    if exit_code is not ExitCode.OK:
        raise typer.Exit(exit_code)


def ensure_ledger_exists(ledger: str) -> None:
    """Raise `InvalidSource` if the ledger does not exist, before anything creates it."""
    if not Path(ledger).is_file():
        raise InvalidSource(
            f"there is no ledger {printable(ledger)}; nothing was sent. If it was moved or renamed, give its path: "
            "with a new ledger everyone who has a message would get a second one. To send a list that was never sent: "
            "routee-failover bulk run RECIPIENTS --flow FLOW"
        )


def require_config(previous: RunConfig | None, ledger: str) -> RunConfig:
    """Return the run config of a ledger. Raises `InvalidSource` if it has none."""
    if previous is None:
        raise InvalidSource(
            "the command line has started no run in this ledger; nothing was sent. To start one: "
            f"{_run_command(ledger)}"
        )
    return previous


def _run_command(ledger: str) -> str:
    return f"routee-failover bulk run RECIPIENTS --flow FLOW --ledger {shlex.quote(printable(ledger))}"


def _check_files(config: RunConfig, ledger: str) -> None:
    """Raise `InvalidSource`, with what to do, if a file of the run does not exist any more."""
    missing = next((path for path in (config.recipients, config.flow) if not path.exists()), None)
    if missing is not None:
        raise InvalidSource(
            f"{printable(missing)} does not exist any more; nothing was sent. Put it back, or give the paths "
            f"of the files of this run: {_run_command(ledger)}"
        )


def _resumed_config(previous: RunConfig | None, options: RunOptions, config: Config, ledger: str) -> RunConfig:
    previous = require_config(previous, ledger)
    _check_files(previous, ledger)
    current = attrs.evolve(
        previous,
        digest=file_digest(previous.flow),
        service=service_name(config),
        account=account_digest(config),
        options=options,
    )
    return current.continued_from(previous)
