"""`routee-failover search`: finds flows, and prints them as a table, JSON Lines or CSV."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import attrs
import typer

from .._search import Filter, SearchOperator
from ..client import RouteeClient
from ..config import Config
from ..errors import InvalidSearch, Problem
from ..flows import Endpoint
from ..records import Channel, FlowStatus
from ..records.statuses import OpenEnum
from .data_output import DataOutput
from .error_output import ErrorContext, handle_errors
from .output import SearchRecord, format_csv_row, format_json, print_flow_table
from .terminal import Terminal
from .time_args import TIME_FORMATS, TimeRange, parse_time_range
from .usage_errors import invalid_choice_reason

MAX_TABLE_ROWS = 200
"""Default limit of rows in a table: longer ones are not read, and a table is drawn only once all rows are there."""


@attrs.frozen
class OutputOptions:
    """Output format, and the limit of flows to print; `None` is no limit."""

    as_json: bool
    as_csv: bool
    max_rows: int | None


def search(
    *,
    status: Annotated[
        str | None, typer.Option(help="Status: Queued, InProgress, Succeeded or Failed.", show_default=False)
    ] = None,
    day: Annotated[
        str | None, typer.Option(help="Sent on this day: today, yesterday or 2026-01-31.", show_default=False)
    ] = None,
    since: Annotated[str | None, typer.Option(help=f"Sent at or after: {TIME_FORMATS}.", show_default=False)] = None,
    until: Annotated[str | None, typer.Option(help="Sent before; same formats as --since.", show_default=False)] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="Recipient; '*678' or '+3069*' matches a part.", show_default=False),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(help="Channel of any step: Viber, Sms or Voice.", show_default=False)
    ] = None,
    ended_on: Annotated[str | None, typer.Option(help="Channel on which the flow ended.", show_default=False)] = None,
    endpoint: Annotated[
        Endpoint | None,
        typer.Option(
            metavar="ENDPOINT",
            help="standard, transactional or otp. Default: standard and transactional.",
            show_default=False,
        ),
    ] = None,
    tag: Annotated[str | None, typer.Option(help="Label of a step; OTP flows only.", show_default=False)] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'FIELD OPERATOR TERM'",
            help="Additional condition in Routee's terms, such as 'status is_not Succeeded'. Repeatable.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=0,
            help=f"Maximum number of flows; 0 for all. Default: all, or {MAX_TABLE_ROWS} in a table.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print Routee's responses, one per line; only PINs are masked.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with times in UTC and unmasked numbers.")] = False,
) -> None:
    """Find flows by status, time, recipient, channel or label. Read-only.

    Days and times are in this machine's time zone.

    Example: [cyan]routee-failover search --status failed --day yesterday[/]
    """
    with handle_errors(
        ErrorContext(
            state_text="nothing was changed", not_found_hint="Routee may respond with 404 when nothing matches."
        )
    ):
        max_rows = (None if as_json or as_csv else MAX_TABLE_ROWS) if limit is None else limit or None
        output = OutputOptions(as_json, as_csv, max_rows)
        if as_json and as_csv:
            raise InvalidSearch("search", [Problem(("--csv",), "cannot be combined with --json")])
        problems: list[Problem] = []
        terms = {
            "status": _parse_enum("--status", FlowStatus, status, problems),
            "to": to,
            "type": _parse_enum("--channel", Channel, channel, problems),
            "termination_channel": _parse_enum("--ended-on", Channel, ended_on, problems),
            "tag": tag,
        }
        if problems:
            raise InvalidSearch("search", problems)
        given = {name: term for name, term in terms.items() if term is not None}
        times = _parse_times(day, since, until, datetime.now(UTC))
        asyncio.run(_search(Config.from_env(), endpoint, given | times, where or [], output))


async def _search(
    config: Config, endpoint: Endpoint | None, terms: dict[str, Any], where: list[str], output: OutputOptions
) -> None:
    async with RouteeClient(config) as routee:
        try:
            if endpoint is Endpoint.OTP:
                records: AsyncIterator[SearchRecord] = aiter(routee.search_otp(**_otp_terms(terms, where)))
            else:
                records = aiter(routee.search(**_flow_terms(endpoint, terms, where)))
        except InvalidSearch as error:
            problems = [
                Problem((_OPTIONS.get(str(problem.path[0]), str(problem.path[0])),), problem.reason)
                for problem in error.problems
            ]
        else:
            return await _print(records, output)
    raise InvalidSearch("search", problems)


_OPTIONS = {
    "type": "--channel",
    "termination_channel": "--ended-on",
    "phone_number": "--to",
    "search_term": "--to",
    **{name: f"--{name}" for name in ("status", "to", "tag", "since", "until", "where")},
}
"""Option names of the library's parameters."""


async def _print(records: AsyncIterator[SearchRecord], output: OutputOptions) -> None:
    console, data = Terminal(), DataOutput()
    table_records: list[SearchRecord] = []
    count, more = 0, False
    if output.as_csv:
        data.write(format_csv_row())
    async for record in records:
        more = count == output.max_rows
        if more:
            break
        count += 1
        if output.as_csv:
            data.write(format_csv_row(record))
        elif output.as_json:
            console.print_line(format_json(record.raw, ascii_only=not console.encoding.startswith("utf")))
        else:
            table_records.append(record)
    if table_records:
        print_flow_table(console, table_records)
    _print_count(count, more=more)


def _print_count(count: int, *, more: bool) -> None:
    """Print the number of flows, on stderr: a program may read stdout."""
    flows = "No flows found." if not count else f"{count} flow{'s' if count > 1 else ''}."
    Terminal(stderr=True).print_line(f"{flows[:-1]} shown; there are more. --limit 0 prints all." if more else flows)


def _parse_enum(option: str, kind: type[OpenEnum], text: str | None, problems: list[Problem]) -> str | None:
    """Return the value of Routee's that a text names: `in-progress` is InProgress."""
    if text is None:
        return None
    value = kind(re.sub(r"[-_\s]", "", text))
    if not value.known:
        problems.append(Problem((option,), invalid_choice_reason(text, kind)))
    return value


def _parse_times(day: str | None, since: str | None, until: str | None, now: datetime) -> dict[str, datetime]:
    problems: list[Problem] = []
    ranges: dict[str, TimeRange] = {}
    for name, text in {"day": day, "since": since, "until": until}.items():
        if text is not None:
            try:
                ranges[name] = parse_time_range(text, now)
            except ValueError:
                problems.append(Problem((f"--{name}",), f"is not a time: use {TIME_FORMATS}"))
    if day is not None and (since is not None or until is not None):
        problems.append(Problem(("--day",), "cannot be combined with --since or --until"))
    elif "day" in ranges and ranges["day"].start == ranges["day"].end:
        problems.append(Problem(("--day",), "must be a day: today, yesterday or 2026-01-31"))
    if problems:
        raise InvalidSearch("search", problems)
    if "day" in ranges:
        return {"since": ranges["day"].start, "until": ranges["day"].end}
    return {name: time_range.start for name, time_range in ranges.items()}


def _flow_terms(endpoint: Endpoint | None, terms: dict[str, Any], where: list[str]) -> dict[str, Any]:
    if endpoint is Endpoint.VIBER_OTP:
        reason = "Routee has no list of Viber OTPs; use track with the id"
        raise InvalidSearch("search", [Problem(("--endpoint",), reason)])
    if "tag" in terms:
        reason = "is for OTP flows only: Routee cannot search other flows by label; add --endpoint otp"
        raise InvalidSearch("search", [Problem(("--tag",), reason)])
    conditions = [_parse_condition(text) for text in where]
    to = terms.pop("to", None)
    if to is not None:
        conditions.append(_recipient_filter(to))
    return terms | {"flow_kind": endpoint, "where": conditions}


def _otp_terms(terms: dict[str, Any], where: list[str]) -> dict[str, Any]:
    names = {"since": "--since, --until or --day", "until": "--since, --until or --day"}
    names |= {"type": "--channel", "termination_channel": "--ended-on"}
    unsupported = list(dict.fromkeys(names[name] for name in terms if name in names)) + ["--where"] * bool(where)
    if unsupported:
        reason = "is not available for OTP flows: Routee searches them by --status, --to and --tag only"
        raise InvalidSearch("search", [Problem((name,), reason) for name in unsupported])
    if "*" in terms.get("to", ""):
        raise InvalidSearch("search", [Problem(("--to",), "must be a complete number for OTP flows")])
    return {("phone_number" if name == "to" else name): term for name, term in terms.items()}


def _parse_condition(text: str) -> Filter:
    parts = text.split(maxsplit=2)
    if len(parts) != 3:
        reason = "takes a field, an operator and a term, such as 'status is_not Succeeded'"
        raise InvalidSearch("search", [Problem(("--where",), reason)])
    try:
        return Filter(*parts)
    except InvalidSearch as error:
        # Drop the alternative that only a Python program can use.
        reasons = [
            (str(problem.path[0]), problem.reason.partition("; pass a new one as ")[0]) for problem in error.problems
        ]
    raise InvalidSearch(
        "search",
        [Problem(("--where",), f"the {_CONDITION_PARTS.get(name, name)} {reason}") for name, reason in reasons],
    )


_CONDITION_PARTS = {"field_name": "field", "search_operator": "operator", "search_term": "term"}


def _recipient_filter(number: str) -> Filter:
    """Return the filter for a number, or for a part of one with `*` in place of the rest."""
    part = number.removeprefix("*").removesuffix("*")
    if not part or "*" in part:
        reason = "takes a number, or a part of one with * before it, after it or both"
        raise InvalidSearch("search", [Problem(("--to",), reason)])
    operators = {
        (False, False): SearchOperator.IS,
        (True, False): SearchOperator.ENDS_WITH,
        (False, True): SearchOperator.STARTS_WITH,
        (True, True): SearchOperator.CONTAINS,
    }
    return Filter("to", operators[number.startswith("*"), number.endswith("*")], part)
