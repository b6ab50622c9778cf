"""`bulk run --dry-run`: checks every row, sends nothing and creates no file."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ...bulk import dry_run
from ...bulk.dry_run import DryRunResult, RowPreview, SmsCount
from ...bulk.templates.dry_run_findings import Finding, FindingKind
from ...errors import Problem
from ...secret import Secret
from ..exit_codes import ExitCode
from ..record_formats import format_json
from ..terminal import Terminal, printable
from .display.row_counts import format_number
from .run_config import RunConfig
from .runner import build_settings, prepare
from .summary import StyledLine

_MAX_COUNTRIES = 8
_SELECTIONS = {"first": "first row", "any": "another row", "longest": "longest text"}


def execute_dry_run(config: RunConfig, *, as_json: bool) -> ExitCode:
    """Check every row and print what would be sent. The exit code is 1 if some rows cannot be sent."""
    settings = build_settings(config)
    prepared = prepare(config)
    result = asyncio.run(dry_run.check_rows(prepared.rows, prepared.suppression_list, send_window=settings.send_window))
    console = Terminal()
    if as_json:
        console.print_line(
            format_json(
                _event(config, result) | {"note": prepared.note}, ascii_only=not console.encoding.startswith("utf")
            )
        )
    else:
        for line in dry_run_lines(config, result, prepared.note):
            console.print_line(*line)
    return ExitCode.REJECTED if result.invalid else ExitCode.OK


def dry_run_lines(config: RunConfig, report: DryRunResult, note: str | None = None) -> Iterator[StyledLine]:
    """Yield the result of a dry run as lines."""
    yield ((f"{printable(config.recipients.name)} as {config.endpoint}: dry run, nothing is sent.", "bold"),)
    if note is not None:
        yield ((f" {note}", "yellow"),)
    yield ("",)
    yield (
        f" {format_number(report.rows)} {'row' if report.rows == 1 else 'rows'}: ",
        (f"{format_number(report.valid)} can be sent", "bold green"),
        *_not_sent(report),
    )
    for channels, count in report.channels.items():
        yield (f"   {format_number(count)} by {printable(channels.replace('Sms', 'SMS').replace(', ', ', then '))}",)
    if report.countries:
        yield (f"   to {_countries_text(report.countries)}",)
    if report.sms.messages:
        yield (f"   {_sms_text(report.sms)}",)
    if report.invalid:
        yield ("",)
        yield (
            " Rows that cannot be sent"
            + (f" (first {len(report.invalid_rows)})" if report.invalid > len(report.invalid_rows) else ""),
        )
        for row in report.invalid_rows:
            reasons = printable("; ".join(dict.fromkeys(map(str, row.problems))))
            yield (
                "   ",
                (f"line {row.line}", "dim"),
                f"  {row.recipient}  ".replace("    ", "  "),
                (reasons, "yellow"),
            )
    if report.findings:
        yield ("",)
        yield (" Possible problems, one example each",)
        for finding in report.findings:
            yield ("   ", (_finding_text(finding, report), "yellow"))
            yield ("     ", (f"line {finding.line}", "dim"), f"  {printable(finding.example)}")
    if report.previews:
        yield ("",)
        yield (" Samples, with numbers and codes masked",)
    for preview in report.previews:
        parts = "" if not preview.sms_parts else f", SMS of {preview.sms_parts} part{'s' * (preview.sms_parts > 1)}"
        yield (
            f"   line {preview.line}, {_SELECTIONS.get(preview.selection, preview.selection)}, "
            f"to {preview.recipient}{parts}",
        )
        for text in _preview_lines(preview):
            yield ("     ", (printable(text), "dim"))


def _not_sent(result: DryRunResult) -> Iterator[str | tuple[str, str]]:
    if result.invalid:
        yield ", "
        yield (f"{format_number(result.invalid)} cannot", "bold red")
    if result.duplicates:
        yield f", {format_number(result.duplicates)} {'duplicate' if result.duplicates == 1 else 'duplicates'}"
    if result.suppressed:
        yield f", {format_number(result.suppressed)} on the suppression list"
    yield "."


def _finding_text(finding: Finding, result: DryRunResult) -> str:
    """Return a finding as one line."""
    rows = "1 row" if finding.count == 1 else f"{format_number(finding.count)} rows"
    subject = printable(finding.subject)
    match finding.kind:
        case FindingKind.EMPTY_COLUMN:
            return f"{rows}: the column {subject} is empty, or holds a word for an empty value"
        case FindingKind.PLACEHOLDER:
            placeholder = subject or "other placeholders"
            every = "every row" if finding.count == result.valid else rows
            if placeholder.startswith("{"):
                return f"{every}: {placeholder} is sent as it is; placeholders have single braces, and only in the flow"
            return f"{every}: {placeholder} is sent as it is; write a column as {{name}}, in single braces"
        case FindingKind.CODE_LENGTH:
            lengths = ", ".join(f"{length} in {format_number(count)}" for length, count in finding.lengths.items())
            return f"{rows}: the code in {subject} has a different length; characters and rows: {lengths}"
        case FindingKind.UNCERTAIN_TIME_ZONE:
            return f"{rows}: the number has no known time zone, or several with different hours"
        case FindingKind.KEY_CONFLICT:
            return f"{rows}: the key of another recipient; only one message per key is sent, and not to these"


def _sms_text(sms: SmsCount) -> str:
    text = f"SMS: at most {format_number(sms.parts)} parts in {format_number(sms.messages)} messages"
    if sms.max_parts > 1:
        text += f"; the longest has {sms.max_parts}"
    if sms.unicode:
        text += f"; {format_number(sms.unicode)} need Unicode, with 70 characters per part instead of 160"
    return text


def _countries_text(countries: Mapping[str, int]) -> str:
    ordered = sorted(countries.items(), key=lambda item: -item[1])
    counts = [f"{country or 'unknown'} {format_number(count)}" for country, count in ordered[:_MAX_COUNTRIES]]
    rest = sum(count for _, count in ordered[_MAX_COUNTRIES:])
    return ", ".join(counts) + (f", others {format_number(rest)}" if rest else "")


def _preview_lines(preview: RowPreview) -> Iterator[str]:
    """Yield the other fields of the flow as one line, then one line per step."""
    flow = _plain(preview.flow)
    steps = flow.pop("flow") if isinstance(flow.get("flow"), list) else []  # a raw flow may have any shape
    yield format_json(flow, ascii_only=False)
    for step in steps:
        yield f"  {format_json(step, ascii_only=False)}"


def _event(config: RunConfig, result: DryRunResult) -> dict[str, Any]:
    return {"event": "dry_run", "recipients": str(config.recipients), "endpoint": config.endpoint, **_plain(result)}


def _plain(value: Any) -> Any:
    """Return a value for JSON; secrets are masked already, and would be masked here."""
    if isinstance(value, Problem):
        return str(value)
    if attrs.has(type(value)):
        return {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, Secret) else value
