"""A run from its plan to its last words: everything is opened, in the order in which it can be refused."""

import asyncio
import functools
import os
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from ...bulk.currency import store_currency
from ...bulk.invalid_rows import InvalidRowsFile
from ...bulk.sanitize import sanitize
from ...bulk.send_window import SendWindow
from ...bulk.sender import BulkSender
from ...bulk.settings import BulkSettings
from ...bulk.sources import Source, read_source
from ...bulk.suppression import SuppressionList
from ...bulk.templates.row import Rows
from ...bulk.templates.template import FlowTemplate
from ...client import RouteeClient
from ...config import Config
from ...errors import InvalidSource
from ...ledger import SqliteLedger
from ..error_output import ErrorContext
from ..exit_codes import ExitCode
from ..terminal import OutputClosed, Terminal, printable
from .callback_server import build_signer, serve_callbacks
from .display.json_events import row_counts_fields as rows_event
from .display.progress_display import JsonLinesDisplay, ProgressDisplay, create_display
from .display.row_counts import RowCounts
from .monitor import PauseToggle, RunResult, monitor_run
from .previous_runs import source_digest
from .run_config import LAST_RUN_KEY, RUN_CONFIG_KEY, RunConfig
from .startup_summary import StartupInfo, fetch_balance, print_startup, run_title
from .summary import bulk_command, exit_code_for_run, print_lines, resume_command, summary_lines

OWN_LABELS_NOTE = (
    "note: its steps have a label of their own. Routee's list of OTPs is asked for the whole label, so that a message "
    "in doubt is not found there and stays unknown; leave label out of the flow, or use --callbacks."
)
UNFILLED_PLACEHOLDERS_NOTE = (
    "note: its texts have {} in them, which everybody reads as it stands: a column is written in single braces, "
    "as {{name}}."
)


class PreparedRun(NamedTuple):
    """A flow and its recipients, both looked at."""

    source: Source
    rows: Rows
    note: str | None
    """What has to be known of the flow before it is sent."""
    suppression_list: SuppressionList | None


def prepare(config: RunConfig) -> PreparedRun:
    """Read the flow, and look at the head of the recipients. Raises `InvalidSource` or `InvalidFlow`."""
    source = read_source(config.recipients, format=config.format)
    template = FlowTemplate.read(config.flow)
    rows = template.rows(source, key=config.key, region=config.region)
    if isinstance(rows, Iterable) and next(iter(rows), None) is None:
        raise InvalidSource(
            f"{printable(config.recipients.name)} has no rows: there is nothing to send; nothing was sent"
        )
    notes = [OWN_LABELS_NOTE] if template.has_own_labels else []
    unfilled = template.unfilled_placeholders(source.columns or ())
    if unfilled:
        notes.append(UNFILLED_PLACEHOLDERS_NOTE.format(", ".join(sanitize(placeholder) for placeholder in unfilled)))
    suppressed = _suppressed(config, template.recipient_columns)
    return PreparedRun(source, rows, " ".join(notes) or None, suppressed)


def _suppressed(config: RunConfig, columns: tuple[str, ...]) -> SuppressionList | None:
    """The numbers that are never written to. Raises `InvalidSource` for a list that cannot be used."""
    paths = config.options.suppress
    if not paths:
        return None
    missing = next((path for path in paths if not os.path.lexists(path)), None)
    if missing is not None:
        raise InvalidSource(
            f"{printable(missing)} cannot be read: it is not there, and people on it would be written to; nothing was "
            "sent. Put it back, or say with --suppress where it is, under the same name"
        )
    return _read_once(paths, config.region, columns, tuple(map(_version, paths)))


@functools.lru_cache(1)  # a command prepares before it makes a ledger, and again with what the ledger says
def _read_once(
    paths: tuple[str, ...], region: str | None, columns: tuple[str, ...], _versions: tuple[object, ...]
) -> SuppressionList:
    return SuppressionList.read(*paths, region=region, columns=columns)


def _version(path: str) -> object:
    try:
        found = Path(path).stat()
    except OSError:
        return None  # why it cannot be read is told by reading it
    return found.st_ino, found.st_mtime_ns, found.st_size


def build_settings(config: RunConfig, suppression_list: SuppressionList | None = None) -> BulkSettings:
    """The settings of a sender. Raises `InvalidConfig` or `InvalidSource` for what cannot work."""
    given = config.options
    named: dict[str, Any] = {
        "rate": given.rate,
        "concurrency": given.concurrency,
        "deadline": given.deadline,
        "send_window": None if given.hours is None else SendWindow.parse(given.hours),
        "on_unknown": given.unknown,
        "reconcile_after": given.reconcile_after,
        "callbacks": build_signer(given),
        "suppression_list": suppression_list,
        "max_messages": given.max_messages or None,
    }
    return BulkSettings(**{name: value for name, value in named.items() if value is not None})


def client_config(concurrency: int | None) -> Config:
    """The account, with as many connections as messages are under way at once."""
    config = Config.from_env()
    return config if concurrency is None else attrs.evolve(config, pool_size=max(config.pool_size, concurrency))


@attrs.frozen(kw_only=True)
class RunCommand:
    """A run to be conducted. `ledger` is its file as it was written, for commands that are to be copied."""

    ledger: str
    resolve_config: Callable[[RunConfig | None], RunConfig]
    """Gives the plan, from the one that the ledger holds already. Raises `InvalidSource` where they do not agree."""
    as_json: bool
    recover: bool = False
    """Whether to open a ledger that has lost something, and ask Routee about every row that it does not hold."""

    async def execute(self, context: ErrorContext) -> ExitCode:
        """Send everything that can be sent, and say what became of it."""
        async with SqliteLedger(Path(self.ledger), recover=self.recover) as ledger:
            document = await ledger.get_document(RUN_CONFIG_KEY)
            plan = self.resolve_config(None if document is None else RunConfig.from_document(document))
            plan = plan.with_source(await asyncio.to_thread(source_digest, plan.recipients))
            ready, config = prepare(plan), client_config(plan.options.concurrency)
            settings = build_settings(plan, ready.suppression_list)
            total, balance = await asyncio.gather(_total(ready.source), fetch_balance(config))
            refused = InvalidRowsFile(plan.invalid_rows)
            refused.start_run()  # every run reads all rows, which may have been mended since the one before
            async with AsyncExitStack() as stack:
                routee = await stack.enter_async_context(RouteeClient(config))
                sender = BulkSender(routee, ledger, settings, on_invalid_row=stack.enter_context(refused))
                await stack.enter_async_context(
                    serve_callbacks(settings.callbacks, plan.options, sender.handle_callback)
                )
                await ledger.put_document(RUN_CONFIG_KEY, plan.to_document())
                await ledger.put_document(LAST_RUN_KEY, {"total": total})
                if balance is not None:
                    await store_currency(ledger, balance)
                context.resume_command = bulk_command("resume", self.ledger)
                context.state_text = f"what is not sent yet is sent by: {context.resume_command}"
                console = Terminal()
                before = await ledger.counts()
                settled = None if document is None else before.final
                stage, switch = self._stage(console, sender, plan)
                print_startup(
                    stage,
                    console,
                    plan,
                    self.ledger,
                    StartupInfo(total, settled, ready.suppression_list, balance, ready.note),
                )
                settled_before = before.final - before.invalid
                try:
                    ended = await monitor_run(
                        sender,
                        lambda: asyncio.ensure_future(sender.run(ready.rows, total=total)),
                        stage,
                        switch,
                        context.resume_command,
                    )
                except (OutputClosed, OSError):
                    await _keep(ledger, RunResult(sender.progress, interrupted=True), settled_before)
                    raise
            return await self._end(ledger, plan, ended, settled_before)

    def _stage(self, console: Terminal, sender: BulkSender, config: RunConfig) -> tuple[ProgressDisplay, PauseToggle]:
        switch = PauseToggle(sender.pause, sender.resume)
        return create_display(
            console, run_title(config, self.ledger), lambda: switch.hint, as_json=self.as_json
        ), switch

    async def _end(self, ledger: SqliteLedger, config: RunConfig, ended: RunResult, settled: int) -> ExitCode:
        progress = ended.progress
        tally = await _keep(ledger, ended, settled)
        status = exit_code_for_run(tally, interrupted=ended.interrupted)
        why = progress.pause_reason
        if tally.limit_reached and not ended.interrupted:
            why = f"stopped at --max-messages {config.options.max_messages}"
        if self.as_json:
            JsonLinesDisplay(Terminal(), Terminal(stderr=True)).emit(
                {
                    "event": "done",
                    "elapsed_seconds": round(progress.elapsed, 3),
                    **rows_event(tally),
                    "exit_status": int(status),
                    "interrupted": ended.interrupted,
                    "stop_reason": why,
                    "invalid_rows_file": str(config.invalid_rows) if tally.invalid else None,
                    "resume": resume_command(tally, self.ledger) if tally.has_remaining else None,
                }
            )
        else:
            why = "it was interrupted" if ended.interrupted else why
            refused = config.invalid_rows if tally.invalid else None
            print_lines(
                Terminal(), summary_lines(tally, self.ledger, refused, elapsed=progress.elapsed, stop_reason=why)
            )
        return status


async def _keep(ledger: SqliteLedger, ended: RunResult, settled: int) -> RowCounts:
    """Keep what the run has found out and the ledger does not know, for `status`."""
    progress = ended.progress
    tally = RowCounts.after_run(progress, interrupted=ended.interrupted, done_before=settled)
    await ledger.put_document(
        LAST_RUN_KEY,
        {
            "total": tally.total,
            "key_conflicts": tally.key_conflicts,
            "duplicates": tally.duplicates,
            "deferred": tally.deferred,
            "suppressed": tally.suppressed,
            "suppressed_new": progress.suppressed_new,
            "limit_reached": tally.limit_reached,
            "missing_from_source": tally.missing_from_source,
            "incomplete": tally.incomplete,
            "elapsed": progress.elapsed,
        },
    )
    return tally


async def _total(source: Source) -> int:
    """How many rows there are. They are read whole before anything is sent, and what is unreadable is found then."""
    return source.total if source.total is not None else await asyncio.to_thread(_count, source)


def _count(source: Source) -> int:
    return sum(1 for _ in source)
