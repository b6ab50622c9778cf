"""`routee-failover bulk run RECIPIENTS --flow FLOW`: sends one message for each row of a file, each once."""

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
        Path,
        typer.Argument(
            metavar="RECIPIENTS", help="CSV, JSON Lines or Parquet; one message per row.", show_default=False
        ),
    ],
    flow: Annotated[
        Path,
        typer.Option(
            metavar="FLOW",
            help="JSON or TOML file of the flow, with {column} for values of the row.",
            show_default=False,
        ),
    ],
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="RUN.sqlite",
            help="File that records what was sent. Default: RECIPIENTS with the suffix .sqlite.",
            show_default=False,
        ),
    ] = None,
    rate: RateOption = None,
    concurrency: ConcurrencyOption = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Send one message per value of this column. Default: one per phone number.",
            show_default=False,
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="GR", help="Country of numbers without a country code, as two letters.", show_default=False
        ),
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
            help="File for rows that cannot be sent, with the reasons. Default: RUN.invalid.csv.",
            show_default=False,
        ),
    ] = None,
    callbacks: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Public URL for Routee's callbacks, which this run receives itself. ROUTEE_CALLBACK_KEY holds the key "
            "that signs callback URLs.",
            show_default=False,
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Address to which the --callbacks URL leads. Default: 127.0.0.1:9000.",
            show_default=False,
        ),
    ] = None,
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Send although another ledger has sent this list: everyone gets a second message."
        ),
    ] = False,
    recover: RecoverOption = False,
    source_format: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="csv, jsonl or parquet. Default: by the file name's suffix."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    r"""Send one message for each row of a file, each once, even if this process is interrupted or killed.

    Run the same command again to continue: the ledger records what was sent to
    whom. Ctrl-C waits for the messages in flight, then prints the command that
    resumes the run.

    FLOW is what `routee-failover send` takes, with columns of RECIPIENTS in
    braces:
      {"endpoint": "standard", "flow": \[{"type": "Sms", "to": "{phone}", ...}]}
    With "raw": true it is sent as it is, without label and callback URL.

    Environment: the variables of `routee-failover send`.

    Example: [cyan]routee-failover bulk run people.csv --flow otp.json --rate 50[/]
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
            callbacks=callbacks,
            listen=listen,
        )
        ledger_path = ledger or str(recipients.with_suffix(".sqlite"))
        request = _RunRequest(recipients, source_format, flow, key, region, invalid_rows, ledger_path, options)
        if dry_run:
            exit_code = execute_dry_run(request.to_config(None), as_json=as_json)
        else:
            config = Config.from_env()
            run_config = request.to_config(config)
            prepared = prepare(run_config)  # before a ledger is created
            build_settings(run_config)

            def resolve_config(previous: RunConfig | None) -> RunConfig:
                if previous is not None:
                    return run_config.continued_from(previous)
                if not again:
                    ensure_not_sent_before(run_config, source_digest(run_config.recipients), prepared.rows, ledger_path)
                return run_config

            if not Path(ledger_path).exists():
                resolve_config(None)
            exit_code = asyncio.run(
                RunCommand(ledger=ledger_path, resolve_config=resolve_config, as_json=as_json, recover=recover).execute(
                    context
                )
            )
    if exit_code is not ExitCode.OK:
        raise typer.Exit(exit_code)


@attrs.frozen
class _RunRequest:
    """Arguments of the command line."""

    recipients: Path
    format: str | None
    flow: Path
    key: str | None
    region: str | None
    invalid_rows: Path | None
    ledger: str
    options: RunOptions

    def to_config(self, config: Config | None) -> RunConfig:
        """Return the config of a new run."""
        if Path(self.ledger).absolute() == self.recipients.absolute():
            raise InvalidSource(
                f"{printable(self.ledger)} cannot be both the recipients and the ledger; nothing was sent"
            )
        invalid_rows = self.invalid_rows or Path(self.ledger).with_suffix(".invalid.csv")
        files = {"recipients": str(self.recipients), "flow": str(self.flow), "options": attrs.asdict(self.options)}
        ensure_not_in_use(invalid_rows, self.ledger, files)
        digest = file_digest(self.flow)  # first: it refuses a pipe, which reading the template would wait for
        template = FlowTemplate.read(self.flow)
        return RunConfig(
            recipients=self.recipients.absolute(),
            format=self.format,
            flow=self.flow.absolute(),
            digest=digest,
            endpoint=str(template.endpoint),
            raw=template.raw,
            key=self.key,
            region=self.region,
            invalid_rows=invalid_rows.absolute(),
            service="" if config is None else service_name(config),
            account="" if config is None else account_digest(config),
            options=self.options,
        )
