"""`routee-failover bulk run RECIPIENTS --flow FLOW`: a message to each of many, once."""

import asyncio
from pathlib import Path
from typing import Annotated

import attrs
import typer

from ...bulk.templates.template import FlowTemplate
from ...config import Config
from ...errors import InvalidSource
from ..failures import SoFar, told
from ..status import Status
from ..terminal import clean
from .conduct import Run, prepare, settings_of
from .earlier import ask_for_again, source_digest
from .options import (
    Concurrency,
    Deadline,
    Hours,
    Json,
    MaxMessages,
    Rate,
    Recover,
    SettleAfter,
    Suppress,
    Unknown,
    options,
)
from .outputs import spare_what_is_used
from .plan import Options, Plan, account_of, digest_of, service_of
from .rehearse import rehearse


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
    rate: Rate = None,
    concurrency: Concurrency = None,
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
    hours: Hours = None,
    deadline: Deadline = None,
    suppress: Suppress = None,
    max_messages: MaxMessages = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Send nothing: check every row, count SMS parts, show three samples.")
    ] = False,
    unknown: Unknown = None,
    reconcile_after: SettleAfter = None,
    refused: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Where rows go that cannot be sent, with their reasons. If not given: RUN.refused.csv.",
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
    recover: Recover = False,
    source_format: Annotated[
        str | None,
        typer.Option("--format", metavar="FORMAT", help="csv, jsonl or parquet, where the name does not say it."),
    ] = None,
    as_json: Json = False,
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
            callbacks=callbacks,
            listen=listen,
        )
        where = ledger or str(recipients.with_suffix(".sqlite"))
        order = _Order(recipients, source_format, flow, key, region, refused, where, given)
        if dry_run:
            status = rehearse(order.plan(None), as_json=as_json)
        else:
            config = Config.from_env()
            plan = order.plan(config)
            ready = prepare(plan)  # before there is a ledger
            settings_of(plan)

            def plan_after(former: Plan | None) -> Plan:
                if former is not None:
                    return plan.following(former)
                if not again:
                    ask_for_again(plan, source_digest(plan.recipients), ready.rows, where)
                return plan

            if not Path(where).exists():
                plan_after(None)
            status = asyncio.run(
                Run(ledger=where, plan_after=plan_after, as_json=as_json, recover=recover).conduct(so_far)
            )
    if status is not Status.FINE:
        raise typer.Exit(status)


@attrs.frozen
class _Order:
    """What the command line says."""

    recipients: Path
    format: str | None
    flow: Path
    key: str | None
    region: str | None
    refused: Path | None
    ledger: str
    options: Options

    def plan(self, config: Config | None) -> Plan:
        """The plan of a new run."""
        if Path(self.ledger).absolute() == self.recipients.absolute():
            raise InvalidSource(f"{clean(self.ledger)} cannot be both the recipients and the ledger; nothing was sent")
        refused = self.refused or Path(self.ledger).with_suffix(".refused.csv")
        used = {"recipients": str(self.recipients), "flow": str(self.flow), "options": attrs.asdict(self.options)}
        spare_what_is_used(refused, self.ledger, used)
        return Plan(
            recipients=self.recipients.absolute(),
            format=self.format,
            flow=self.flow.absolute(),
            digest=digest_of(self.flow),
            endpoint=str(FlowTemplate.read(self.flow).endpoint),
            key=self.key,
            region=self.region,
            refused=refused.absolute(),
            service="" if config is None else service_of(config),
            account="" if config is None else account_of(config),
            options=self.options,
        )
