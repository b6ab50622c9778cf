"""`bulk run --dry-run`: what a run would do, row by row, before anything is sent or kept."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ...bulk import dry_run
from ...bulk.dry_run import DryRunResult, RowPreview, SmsCount
from ...bulk.templates.findings import Finding, FindingKind
from ...errors import Problem
from ...secret import Secret
from ..exit_codes import ExitCode
from ..output import format_json
from ..terminal import Terminal, printable
from .display.row_counts import format_number
from .run_config import RunConfig
from .runner import build_settings, prepare
from .summary import StyledLine

_MOST_COUNTRIES = 8
_WHY = {"first": "the first row", "any": "any row", "longest": "the longest text"}


def execute_dry_run(config: RunConfig, *, as_json: bool) -> ExitCode:
    """Check every row, and show what would be sent. The status is 1 where some rows cannot be."""
    settings = build_settings(config)
    ready = prepare(config)
    seen = asyncio.run(dry_run.check_rows(ready.rows, ready.suppression_list, send_window=settings.send_window))
    console = Terminal()
    if as_json:
        console.print_line(
            format_json(_event(config, seen) | {"note": ready.note}, ascii_only=not console.encoding.startswith("utf"))
        )
    else:
        for line in dry_run_lines(config, seen, ready.note):
            console.print_line(*line)
    return ExitCode.REJECTED if seen.invalid else ExitCode.OK


def dry_run_lines(config: RunConfig, report: DryRunResult, note: str | None = None) -> Iterator[StyledLine]:
    """What a person has to know before the real run."""
    yield ((f"{printable(config.recipients.name)} as {config.endpoint}: a dry run, nothing is sent.", "bold"),)
    if note is not None:
        yield ((f" {note}", "yellow"),)
    yield ("",)
    yield (
        f" {format_number(report.rows)} rows: ",
        (f"{format_number(report.valid)} can be sent", "bold green"),
        *_not_sent(report),
    )
    for way, many in report.channels.items():
        yield (f"   {format_number(many)} by {printable(way.replace('Sms', 'SMS').replace(', ', ', then '))}",)
    if report.countries:
        yield (f"   to {_countries(report.countries)}",)
    if report.sms.messages:
        yield (f"   {_sms(report.sms)}",)
    if report.invalid:
        yield ("",)
        yield (
            " Rows that cannot be sent" + (", the first of them" if report.invalid > len(report.invalid_rows) else ""),
        )
        for row in report.invalid_rows:
            why = printable("; ".join(dict.fromkeys(map(str, row.problems))))
            yield ("   ", (f"line {row.line}", "dim"), f"  {row.recipient}  ".replace("    ", "  "), (why, "yellow"))
    if report.findings:
        yield ("",)
        yield (" Look at these before the run, one example of each",)
        for finding in report.findings:
            yield ("   ", (_found(finding, report), "yellow"))
            yield ("     ", (f"line {finding.line}", "dim"), f"  {printable(finding.example)}")
    if report.previews:
        yield ("",)
        yield (" Samples, with numbers and codes hidden",)
    for sample in report.previews:
        parts = "" if not sample.sms_parts else f", SMS of {sample.sms_parts} part{'s' * (sample.sms_parts > 1)}"
        yield (f"   line {sample.line}, {_WHY.get(sample.selection, sample.selection)}, to {sample.recipient}{parts}",)
        for text in _pretty(sample):
            yield ("     ", (printable(text), "dim"))


def _not_sent(seen: DryRunResult) -> Iterator[str | tuple[str, str]]:
    if seen.invalid:
        yield ", "
        yield (f"{format_number(seen.invalid)} cannot", "bold red")
    if seen.duplicates:
        yield f", {format_number(seen.duplicates)} {'is' if seen.duplicates == 1 else 'are'} there twice and sent once"
    if seen.suppressed:
        yield f", {format_number(seen.suppressed)} {'is' if seen.suppressed == 1 else 'are'} on the suppression list"
    yield "."


def _found(finding: Finding, seen: DryRunResult) -> str:
    """One finding in a sentence."""
    rows = "1 row" if finding.count == 1 else f"{format_number(finding.count)} rows"
    subject = printable(finding.subject)
    match finding.kind:
        case FindingKind.EMPTY_COLUMN:
            return f"{rows}: nothing in the column {subject}, or a word for that"
        case FindingKind.PLACEHOLDER:
            placeholder = subject or "other placeholders"
            every = "every row" if finding.count == seen.valid else rows
            if placeholder.startswith("{"):
                return f"{every}: {placeholder} is sent with its braces; a column has single ones, and in the flow only"
            return f"{every}: {placeholder} is sent as it stands; a column is written {{name}}, in single braces"
        case FindingKind.CODE_LENGTH:
            lengths = ", ".join(f"{length} in {format_number(many)}" for length, many in finding.lengths.items())
            return f"{rows}: the code in {subject} has another length; characters: {lengths}"
        case FindingKind.UNCERTAIN_TIME_ZONE:
            return f"{rows}: the number has no time zone, or several with different hours"
        case FindingKind.KEY_CONFLICT:
            return f"{rows}: the key of another recipient; one message per key is sent, and these are not"


def _sms(sms: SmsCount) -> str:
    words = f"SMS: {format_number(sms.parts)} parts at most, in {format_number(sms.messages)} messages"
    if sms.max_parts > 1:
        words += f"; the longest has {sms.max_parts}"
    if sms.unicode:
        words += f"; {format_number(sms.unicode)} need Unicode, which has 70 letters a part for 160"
    return words


def _countries(countries: Mapping[str, int]) -> str:
    named = sorted(countries.items(), key=lambda item: -item[1])
    words = [f"{country or 'unknown'} {format_number(many)}" for country, many in named[:_MOST_COUNTRIES]]
    rest = sum(many for _, many in named[_MOST_COUNTRIES:])
    return ", ".join(words) + (f", others {format_number(rest)}" if rest else "")


def _pretty(sample: RowPreview) -> Iterator[str]:
    """The steps a line each, and what is beside them on a line before."""
    flow = _plain(sample.flow)
    steps = flow.pop("flow", [])
    yield json.dumps(flow, ensure_ascii=False)
    for step in steps:
        yield f"  {json.dumps(step, ensure_ascii=False)}"


def _event(config: RunConfig, seen: DryRunResult) -> dict[str, Any]:
    return {"event": "dry_run", "recipients": str(config.recipients), "endpoint": config.endpoint, **_plain(seen)}


def _plain(value: Any) -> Any:
    """As JSON has it; what is secret is hidden already, and would be hidden here."""
    if isinstance(value, Problem):
        return str(value)
    if attrs.has(type(value)):
        return {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Secret) else value
