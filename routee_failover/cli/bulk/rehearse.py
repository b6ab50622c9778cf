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
from ..printed import json_text
from ..status import Status
from ..terminal import Terminal, clean
from .conduct import prepare, settings_of
from .ending import Line
from .plan import Plan
from .view.tally import number

_MOST_COUNTRIES = 8
_WHY = {"first": "the first row", "any": "any row", "longest": "the longest text"}


def rehearse(plan: Plan, *, as_json: bool) -> Status:
    """Check every row, and show what would be sent. The status is 1 where some rows cannot be."""
    settings = settings_of(plan)
    ready = prepare(plan)
    seen = asyncio.run(dry_run.check_rows(ready.rows, ready.suppressed, send_window=settings.send_window))
    console = Terminal()
    if as_json:
        console.say(
            json_text(_event(plan, seen) | {"note": ready.note}, ascii_only=not console.encoding.startswith("utf"))
        )
    else:
        for line in lines_of_rehearsal(plan, seen, ready.note):
            console.say(*line)
    return Status.REFUSED if seen.invalid else Status.FINE


def lines_of_rehearsal(plan: Plan, seen: DryRunResult, note: str | None = None) -> Iterator[Line]:
    """What a person has to know before the real run."""
    yield ((f"{clean(plan.recipients.name)} as {plan.endpoint}: a dry run, nothing is sent.", "bold"),)
    if note is not None:
        yield ((f" {note}", "yellow"),)
    yield ("",)
    yield (f" {number(seen.rows)} rows: ", (f"{number(seen.valid)} can be sent", "bold green"), *_not_sent(seen))
    for way, many in seen.channels.items():
        yield (f"   {number(many)} by {clean(way.replace('Sms', 'SMS').replace(', ', ', then '))}",)
    if seen.countries:
        yield (f"   to {_countries(seen.countries)}",)
    if seen.sms.messages:
        yield (f"   {_sms(seen.sms)}",)
    if seen.invalid:
        yield ("",)
        yield (" Rows that cannot be sent" + (", the first of them" if seen.invalid > len(seen.invalid_rows) else ""),)
        for row in seen.invalid_rows:
            why = clean("; ".join(dict.fromkeys(map(str, row.problems))))
            yield ("   ", (f"line {row.line}", "dim"), f"  {row.recipient}  ".replace("    ", "  "), (why, "yellow"))
    if seen.findings:
        yield ("",)
        yield (" Look at these before the run, one example of each",)
        for finding in seen.findings:
            yield ("   ", (_found(finding, seen), "yellow"))
            yield ("     ", (f"line {finding.line}", "dim"), f"  {clean(finding.example)}")
    if seen.previews:
        yield ("",)
        yield (" Samples, with numbers and codes hidden",)
    for sample in seen.previews:
        parts = "" if not sample.sms_parts else f", SMS of {sample.sms_parts} part{'s' * (sample.sms_parts > 1)}"
        yield (f"   line {sample.line}, {_WHY.get(sample.selection, sample.selection)}, to {sample.recipient}{parts}",)
        for text in _pretty(sample):
            yield ("     ", (clean(text), "dim"))


def _not_sent(seen: DryRunResult) -> Iterator[str | tuple[str, str]]:
    if seen.invalid:
        yield ", "
        yield (f"{number(seen.invalid)} cannot", "bold red")
    if seen.duplicates:
        yield f", {number(seen.duplicates)} {'is' if seen.duplicates == 1 else 'are'} there twice and sent once"
    if seen.suppressed:
        yield f", {number(seen.suppressed)} {'is' if seen.suppressed == 1 else 'are'} on the suppression list"
    yield "."


def _found(finding: Finding, seen: DryRunResult) -> str:
    """One finding in a sentence."""
    rows = "1 row" if finding.count == 1 else f"{number(finding.count)} rows"
    subject = clean(finding.subject)
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
            lengths = ", ".join(f"{length} in {number(many)}" for length, many in finding.lengths.items())
            return f"{rows}: the code in {subject} has another length; characters: {lengths}"
        case FindingKind.UNCERTAIN_TIME_ZONE:
            return f"{rows}: the number has no time zone, or several with different hours"
        case FindingKind.KEY_CONFLICT:
            return f"{rows}: the key of another recipient; one message per key is sent, and these are not"


def _sms(sms: SmsCount) -> str:
    words = f"SMS: {number(sms.parts)} parts at most, in {number(sms.messages)} messages"
    if sms.max_parts > 1:
        words += f"; the longest has {sms.max_parts}"
    if sms.unicode:
        words += f"; {number(sms.unicode)} need Unicode, which has 70 letters a part for 160"
    return words


def _countries(countries: Mapping[str, int]) -> str:
    named = sorted(countries.items(), key=lambda item: -item[1])
    words = [f"{country or 'unknown'} {number(many)}" for country, many in named[:_MOST_COUNTRIES]]
    rest = sum(many for _, many in named[_MOST_COUNTRIES:])
    return ", ".join(words) + (f", others {number(rest)}" if rest else "")


def _pretty(sample: RowPreview) -> Iterator[str]:
    """The steps a line each, and what is beside them on a line before."""
    flow = _plain(sample.flow)
    steps = flow.pop("flow", [])
    yield json.dumps(flow, ensure_ascii=False)
    for step in steps:
        yield f"  {json.dumps(step, ensure_ascii=False)}"


def _event(plan: Plan, seen: DryRunResult) -> dict[str, Any]:
    return {"event": "rehearsed", "recipients": str(plan.recipients), "endpoint": plan.endpoint, **_plain(seen)}


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
