"""Runner of `bulk run` and `bulk resume`: opens everything in the order in which it can fail, runs, summarizes."""

import asyncio
import functools
import os
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import attrs

from ...bulk.account_currency import store_currency
from ...bulk.display_text import sanitize
from ...bulk.invalid_rows import InvalidRowsFile
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
from .display.json_events import row_counts_fields
from .display.progress_display import JsonLinesDisplay, ProgressDisplay, create_display
from .display.row_counts import RowCounts
from .foreground_loop import PauseToggle, RunResult, monitor_run
from .previous_runs import source_digest
from .run_config import LAST_RUN_KEY, RUN_CONFIG_KEY, RunConfig
from .startup_summary import StartupInfo, fetch_balance, print_startup, run_title
from .summary import bulk_command, exit_code_for_run, print_lines, resume_command, summary_lines

OWN_LABELS_NOTE = (
    "note: the steps of this flow have their own label. Routee's list of OTPs is searched by the whole label, so "
    "unknown messages are not found there and stay unknown. Remove label from the flow, or use --callbacks."
)
RAW_FLOWS_NOTE = (
    "note: this flow is raw and sent as it is, without the label and callback URL of the run. Unknown messages stay "
    "unknown, because Routee's lists cannot tell them from others."
)
UNFILLED_PLACEHOLDERS_NOTE = (
    "note: the texts of this flow contain {}, which is sent as it is. Write a column in single braces, as {{name}}."
)


class PreparedRun(NamedTuple):
    """Flow and recipients, both checked."""

    source: Source
    rows: Rows
    note: str | None
    """Warning about the flow."""
    suppression_list: SuppressionList | None


def prepare(config: RunConfig) -> PreparedRun:
    """Read the flow and the first row of the recipients. Raises `InvalidSource` or `InvalidFlow`."""
    source = read_source(config.recipients, format=config.format)
    template = FlowTemplate.read(config.flow)
    rows = template.rows(source, key=config.key, region=config.region)
    if isinstance(rows, Iterable) and next(iter(rows), None) is None:
        raise InvalidSource(f"{printable(config.recipients.name)} has no rows; nothing was sent")
    notes = [OWN_LABELS_NOTE] if template.has_own_labels else []
    notes += [RAW_FLOWS_NOTE] if template.raw else []
    unfilled = template.unfilled_placeholders(source.columns or ())
    if unfilled:
        notes.append(UNFILLED_PLACEHOLDERS_NOTE.format(", ".join(sanitize(placeholder) for placeholder in unfilled)))
    suppressed = _read_suppression_list(config, template.recipient_columns)
    return PreparedRun(source, rows, " ".join(notes) or None, suppressed)


def _read_suppression_list(config: RunConfig, columns: tuple[str, ...]) -> SuppressionList | None:
    """Return the suppression list, if any. Raises `InvalidSource` if one cannot be used."""
    paths = config.options.suppress
    if not paths:
        return None
    missing = next((path for path in paths if not os.path.lexists(path)), None)
    if missing is not None:
        raise InvalidSource(
            f"{printable(missing)} does not exist, and people on this suppression list would get the message; nothing "
            "was sent. Put it back, or give its new path with --suppress, under the same file name"
        )
    return _read_once(paths, config.region, columns, tuple(map(_version, paths)))


@functools.lru_cache(1)  # a command prepares before it creates a ledger, and again with the ledger's config
def _read_once(
    paths: tuple[str, ...], region: str | None, columns: tuple[str, ...], _versions: tuple[object, ...]
) -> SuppressionList:
    return SuppressionList.read(*paths, region=region, columns=columns)


def _version(path: str) -> object:
    try:
        status = Path(path).stat()
    except OSError:
        return None  # reading it reports why it cannot be read
    return status.st_ino, status.st_mtime_ns, status.st_size


def build_settings(config: RunConfig, suppression_list: SuppressionList | None = None) -> BulkSettings:
    """Return the sender's settings. Raises `InvalidConfig` or `InvalidSource` if one is invalid."""
    options = config.options
    values: dict[str, Any] = {
        "rate": options.rate,
        "concurrency": options.concurrency,
        "deadline": options.deadline,
        "send_window": None if options.hours is None else SendWindow.parse(options.hours),
        "on_unknown": options.unknown,
        "reconcile_after": options.reconcile_after,
        "callbacks": build_signer(options),
        "suppression_list": suppression_list,
        "max_messages": options.max_messages or None,
    }
    return BulkSettings(**{name: value for name, value in values.items() if value is not None})


def client_config(concurrency: int | None) -> Config:
    """Return the client's config, with at least as many connections as messages in flight."""
    config = Config.from_env()
    return config if concurrency is None else attrs.evolve(config, pool_size=max(config.pool_size, concurrency))


@attrs.frozen(kw_only=True)
class RunCommand:
    """Execution of a run. `ledger` is its path as the user wrote it, for the commands that are printed to be copied."""

    ledger: str
    resolve_config: Callable[[RunConfig | None], RunConfig]
    """Returns the config of the run, given the one in the ledger. Raises `InvalidSource` if they do not agree."""
    as_json: bool
    recover: bool = False
    """Whether to open a ledger that has lost data, and ask Routee about every row that is missing in it."""

    async def execute(self, context: ErrorContext) -> ExitCode:
        """Send everything that can be sent, and print the summary."""
        async with SqliteLedger(Path(self.ledger), recover=self.recover) as ledger:
            # 1. Check everything that can be wrong.
            document = await ledger.get_document(RUN_CONFIG_KEY)
            run_config = self.resolve_config(None if document is None else RunConfig.from_document(document))
            run_config = run_config.with_source(await asyncio.to_thread(source_digest, run_config.recipients))
            prepared, config = prepare(run_config), client_config(run_config.options.concurrency)
            settings = build_settings(run_config, prepared.suppression_list)
            total, balance = await asyncio.gather(_count_rows(prepared.source), fetch_balance(config))
            invalid_rows = InvalidRowsFile(run_config.invalid_rows)
            invalid_rows.start_run()  # each run reads all rows, which may have been corrected since the previous run
            async with AsyncExitStack() as stack:
                # 2. Open the client, the sender and the callback server.
                routee = await stack.enter_async_context(RouteeClient(config))
                sender = BulkSender(routee, ledger, settings, on_invalid_row=stack.enter_context(invalid_rows))
                await stack.enter_async_context(
                    serve_callbacks(settings.callbacks, run_config.options, sender.handle_callback)
                )
                # 3. Record the run in the ledger, and print what starts.
                await ledger.put_document(RUN_CONFIG_KEY, run_config.to_document())
                await ledger.put_document(LAST_RUN_KEY, {"total": total})
                if balance is not None:
                    await store_currency(ledger, balance)
                context.resume_command = bulk_command("resume", self.ledger)
                context.state_text = f"to send the rest: {context.resume_command}"
                console = Terminal()
                before = await ledger.counts()
                already_done = None if document is None else before.final
                display, pause_toggle = self._create_display(console, sender, run_config)
                print_startup(
                    display,
                    console,
                    run_config,
                    self.ledger,
                    StartupInfo(total, already_done, prepared.suppression_list, balance, prepared.note),
                )
                done_before = before.final - before.invalid
                # 4. Send.
                try:
                    result = await monitor_run(
                        sender,
                        lambda: asyncio.ensure_future(sender.run(prepared.rows, total=total)),
                        display,
                        pause_toggle,
                        context.resume_command,
                    )
                except (OutputClosed, OSError):
                    await _save_last_run(ledger, RunResult(sender.progress, interrupted=True), done_before)
                    raise
            # 5. Record and print the result.
            return await self._finish(ledger, run_config, result, done_before)

    def _create_display(
        self, console: Terminal, sender: BulkSender, config: RunConfig
    ) -> tuple[ProgressDisplay, PauseToggle]:
        pause_toggle = PauseToggle(sender.pause, sender.resume)
        return create_display(
            console, run_title(config, self.ledger), lambda: pause_toggle.hint, as_json=self.as_json
        ), pause_toggle

    async def _finish(self, ledger: SqliteLedger, config: RunConfig, result: RunResult, done_before: int) -> ExitCode:
        progress = result.progress
        counts = await _save_last_run(ledger, result, done_before)
        exit_code = exit_code_for_run(counts, interrupted=result.interrupted)
        stop_reason = progress.pause_reason
        if counts.limit_reached and not result.interrupted:
            stop_reason = f"reached --max-messages {config.options.max_messages}"
        if self.as_json:
            JsonLinesDisplay(Terminal(), Terminal(stderr=True)).emit(
                {
                    "event": "done",
                    "elapsed_seconds": round(progress.elapsed, 3),
                    **row_counts_fields(counts),
                    "exit_code": int(exit_code),
                    "interrupted": result.interrupted,
                    "stop_reason": stop_reason,
                    "invalid_rows_file": str(config.invalid_rows) if counts.invalid else None,
                    "resume": resume_command(counts, self.ledger) if counts.has_remaining else None,
                }
            )
        else:
            stop_reason = "interrupted" if result.interrupted else stop_reason
            invalid_rows = config.invalid_rows if counts.invalid else None
            print_lines(
                Terminal(),
                summary_lines(counts, self.ledger, invalid_rows, elapsed=progress.elapsed, stop_reason=stop_reason),
            )
        return exit_code


async def _save_last_run(ledger: SqliteLedger, result: RunResult, done_before: int) -> RowCounts:
    """Store what the run knows and the ledger does not, for `status`."""
    progress = result.progress
    counts = RowCounts.after_run(progress, interrupted=result.interrupted, done_before=done_before)
    await ledger.put_document(
        LAST_RUN_KEY,
        {
            "total": counts.total,
            "key_conflicts": counts.key_conflicts,
            "duplicates": counts.duplicates,
            "deferred": counts.deferred,
            "suppressed": counts.suppressed,
            "suppressed_new": progress.suppressed_new,
            "limit_reached": counts.limit_reached,
            "missing_from_source": counts.missing_from_source,
            "incomplete": counts.incomplete,
            "elapsed": progress.elapsed,
        },
    )
    return counts


async def _count_rows(source: Source) -> int:
    """Return the number of rows. All are read before anything is sent, which also finds what is unreadable."""
    return source.total if source.total is not None else await asyncio.to_thread(_count, source)


def _count(source: Source) -> int:
    return sum(1 for _ in source)
