"""`routee-failover bulk run RECIPIENTS --flow FLOW`: a message to each of many, once."""

import asyncio
from pathlib import Path
from typing import Annotated

import attrs
import typer

from ...bulk.templates.template import FlowTemplate
from ...config import Config
from ...errors import InvalidSource
from ..error_output import ErrorContext, handle_errors
from ..exit_codes import ExitCode
from ..terminal import printable
from .dry_run import execute_dry_run
from .options import (
    ConcurrencyOption,
    DeadlineOption,
    HoursOption,
    JsonOption,
    MaxMessagesOption,
    RateOption,
    ReconcileAfterOption,
    RecoverOption,
    SuppressOption,
    UnknownOption,
    build_options,
)
from .output_guard import ensure_not_in_use
from .previous_runs import ensure_not_sent_before, source_digest
from .run_config import RunConfig, RunOptions, account_digest, file_digest, service_name
from .runner import RunCommand, build_settings, prepare


def run(
    *,
    recipients: Annotated[
        Path, typer.Argument(metavar="RECIPIENTS", help="CSV, JSON lines or Parquet, a row each.", show_default=False)
    ],
    flow: Annotated[
        Path,
        typer.Option(metavar="FLOW", help="JSON or TOML, with {column} where a row's text goes.", show_default=False),
    ],
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="RUN.sqlite",
            help="What is sent is kept in this file. If not given: RECIPIENTS with the ending .sqlite.",
            show_default=False,
        ),
    ] = None,
    rate: RateOption = None,
    concurrency: ConcurrencyOption = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Send one message for each text in this column; if not given, one for each number.",
            show_default=False,
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(metavar="GR", help="The country of numbers that are written without one.", show_default=False),
    ] = None,
    hours: HoursOption = None,
    deadline: DeadlineOption = None,
    suppress: SuppressOption = None,
    max_messages: MaxMessagesOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing: check every row, count SMS parts, show three samples.")
    ] = False,
    unknown: UnknownOption = None,
    reconcile_after: ReconcileAfterOption = None,
    invalid_rows: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where rows go that cannot be sent, with their reasons. If not given: RUN.invalid.csv.",
            show_default=False,
        ),
    ] = None,
    callbacks: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Have Routee call back here; this run listens itself. ROUTEE_CALLBACK_KEY holds the key.",
            show_default=False,
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Where it listens for what comes to that URL; 127.0.0.1:9000.", show_default=False
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option("--again", help="Send with a new ledger what another ledger has sent: everyone is written twice."),
    ] = False,
    recover: RecoverOption = False,
    source_format: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="csv, jsonl or parquet, where the name does not say it."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Send a message to every row of a file, each once, whatever happens to this process.

    Say it again and it goes on where it was: who got the message is kept in
    the ledger, and is never sent it again. Ctrl-C lets end what is under way,
    and prints the command that goes on.

    FLOW is what `routee-failover send` takes, with columns of RECIPIENTS in it:
      {"endpoint": "standard", "flow": \[{"type": "Sms", "to": "{phone}", ...}]}

    Settings: the environment variables of `routee-failover send`.

    Example: [cyan]routee-failover bulk run people.csv --flow otp.json --rate 50[/]
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
            callbacks=callbacks,
            listen=listen,
        )
        where = ledger or str(recipients.with_suffix(".sqlite"))
        order = _RunRequest(recipients, source_format, flow, key, region, invalid_rows, where, given)
        if dry_run:
            status = execute_dry_run(order.to_config(None), as_json=as_json)
        else:
            config = Config.from_env()
            plan = order.to_config(config)
            ready = prepare(plan)  # before there is a ledger
            build_settings(plan)

            def plan_after(former: RunConfig | None) -> RunConfig:
                if former is not None:
                    return plan.continued_from(former)
                if not again:
                    ensure_not_sent_before(plan, source_digest(plan.recipients), ready.rows, where)
                return plan

            if not Path(where).exists():
                plan_after(None)
            status = asyncio.run(
                RunCommand(ledger=where, resolve_config=plan_after, as_json=as_json, recover=recover).execute(so_far)
            )
    if status is not ExitCode.OK:
        raise typer.Exit(status)


@attrs.frozen
class _RunRequest:
    """What the command line says."""

    recipients: Path
    format: str | None
    flow: Path
    key: str | None
    region: str | None
    invalid_rows: Path | None
    ledger: str
    options: RunOptions

    def to_config(self, config: Config | None) -> RunConfig:
        """The plan of a new run."""
        if Path(self.ledger).absolute() == self.recipients.absolute():
            raise InvalidSource(
                f"{printable(self.ledger)} cannot be both the recipients and the ledger; nothing was sent"
            )
        refused = self.invalid_rows or Path(self.ledger).with_suffix(".invalid.csv")
        used = {"recipients": str(self.recipients), "flow": str(self.flow), "options": attrs.asdict(self.options)}
        ensure_not_in_use(refused, self.ledger, used)
        return RunConfig(
            recipients=self.recipients.absolute(),
            format=self.format,
            flow=self.flow.absolute(),
            digest=file_digest(self.flow),
            endpoint=str(FlowTemplate.read(self.flow).endpoint),
            key=self.key,
            region=self.region,
            invalid_rows=refused.absolute(),
            service="" if config is None else service_name(config),
            account="" if config is None else account_digest(config),
            options=self.options,
        )
