"""`routee-failover search`: the flows of which something is true, for people, spreadsheets and programs."""

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
"""Rows of a table, unless more are asked for: nobody reads them, and a table is drawn when all of them are there."""


@attrs.frozen
class OutputOptions:
    """How flows are printed, and how many at most; `None` for all."""

    as_json: bool
    as_csv: bool
    max_rows: int | None


def search(
    *,
    status: Annotated[
        str | None, typer.Option(help="Queued, InProgress, Succeeded or Failed.", show_default=False)
    ] = None,
    day: Annotated[
        str | None, typer.Option(help="Sent on this day: today, yesterday or 2026-01-31.", show_default=False)
    ] = None,
    since: Annotated[str | None, typer.Option(help=f"Sent then or later: {TIME_FORMATS}.", show_default=False)] = None,
    until: Annotated[str | None, typer.Option(help="Sent before then, in the same words.", show_default=False)] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help="The recipient; '*678' or '+3069*' for a part of it.", show_default=False),
    ] = None,
    channel: Annotated[
        str | None, typer.Option(help="A channel of any step: Viber, Sms or Voice.", show_default=False)
    ] = None,
    ended_on: Annotated[str | None, typer.Option(help="The channel that it ended on.", show_default=False)] = None,
    endpoint: Annotated[
        Endpoint | None,
        typer.Option(
            metavar="ENDPOINT",
            help="standard, transactional or otp; without it, the first two.",
            show_default=False,
        ),
    ] = None,
    tag: Annotated[str | None, typer.Option(help="The label of a step, of OTP flows only.", show_default=False)] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="'FIELD OPERATOR TERM'",
            help="One more condition in Routee's words, such as 'status is_not Succeeded'. May be repeated.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=0, help=f"Print so many at most; 0 for all. A table has {MAX_TABLE_ROWS}.", show_default=False
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print Routee's answers, one a line, PINs masked.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV, with times in UTC and whole numbers.")] = False,
) -> None:
    """Find flows again. It changes nothing and may be repeated.

    Days and times are those of this machine's time zone.

    Example: [cyan]routee-failover search --status failed --day yesterday[/]
    """
    with handle_errors(
        ErrorContext(state_text="nothing was changed", not_found_hint="Routee may mean that there are none.")
    ):
        most = (None if as_json or as_csv else MAX_TABLE_ROWS) if limit is None else limit or None
        output = OutputOptions(as_json, as_csv, most)
        if as_json and as_csv:
            raise InvalidSearch("search", [Problem(("--csv",), "cannot be printed together with --json")])
        problems: list[Problem] = []
        terms = {
            "status": _word("--status", FlowStatus, status, problems),
            "to": to,
            "type": _word("--channel", Channel, channel, problems),
            "termination_channel": _word("--ended-on", Channel, ended_on, problems),
            "tag": tag,
        }
        if problems:
            raise InvalidSearch("search", problems)
        given = {name: term for name, term in terms.items() if term is not None}
        times = _times(day, since, until, datetime.now(UTC))
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
"""What the library's words for a term are called here."""


async def _print(records: AsyncIterator[SearchRecord], output: OutputOptions) -> None:
    console, data = Terminal(), DataOutput()
    listed: list[SearchRecord] = []
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
            listed.append(record)
    if listed:
        print_flow_table(console, listed)
    _sum_up(count, more=more)


def _sum_up(count: int, *, more: bool) -> None:
    """The last line goes to stderr: what is printed before it may be read by a program."""
    flows = "No flow matches." if not count else f"{count} flow{'s' if count > 1 else ''}."
    Terminal(stderr=True).print_line(f"{flows[:-1]}, and there are more: --limit 0 prints all." if more else flows)


def _word(option: str, words: type[OpenEnum], said: str | None, problems: list[Problem]) -> str | None:
    """A word of Routee as people write it: in-progress is InProgress."""
    if said is None:
        return None
    word = words(re.sub(r"[-_\s]", "", said))
    if not word.known:
        problems.append(Problem((option,), invalid_choice_reason(said, words)))
    return word


def _times(day: str | None, since: str | None, until: str | None, now: datetime) -> dict[str, datetime]:
    problems: list[Problem] = []
    found: dict[str, TimeRange] = {}
    for name, words in {"day": day, "since": since, "until": until}.items():
        if words is not None:
            try:
                found[name] = parse_time_range(words, now)
            except ValueError:
                problems.append(Problem((f"--{name}",), f"is no time: say {TIME_FORMATS}"))
    if day is not None and (since is not None or until is not None):
        problems.append(Problem(("--day",), "cannot be given together with --since or --until"))
    elif "day" in found and found["day"].start == found["day"].end:
        problems.append(Problem(("--day",), "is a moment: say today, yesterday or 2026-01-31"))
    if problems:
        raise InvalidSearch("search", problems)
    if "day" in found:
        return {"since": found["day"].start, "until": found["day"].end}
    return {name: stretch.start for name, stretch in found.items()}


def _flow_terms(endpoint: Endpoint | None, terms: dict[str, Any], where: list[str]) -> dict[str, Any]:
    if endpoint is Endpoint.VIBER_OTP:
        why = "Routee lists no Viber OTPs; track follows each by its id"
        raise InvalidSearch("search", [Problem(("--endpoint",), why)])
    if "tag" in terms:
        why = "is for OTP flows: Routee finds others by no label. Is --endpoint otp missing?"
        raise InvalidSearch("search", [Problem(("--tag",), why)])
    conditions = [_condition(words) for words in where]
    to = terms.pop("to", None)
    if to is not None:
        conditions.append(_recipient(to))
    return terms | {"flow_kind": endpoint, "where": conditions}


def _otp_terms(terms: dict[str, Any], where: list[str]) -> dict[str, Any]:
    names = {"since": "--since, --until or --day", "until": "--since, --until or --day"}
    names |= {"type": "--channel", "termination_channel": "--ended-on"}
    impossible = list(dict.fromkeys(names[name] for name in terms if name in names)) + ["--where"] * bool(where)
    if impossible:
        why = "is not for OTP flows: Routee finds them by --status, --to and --tag only"
        raise InvalidSearch("search", [Problem((name,), why) for name in impossible])
    if "*" in terms.get("to", ""):
        raise InvalidSearch("search", [Problem(("--to",), "must be a whole number for OTP flows")])
    return {("phone_number" if name == "to" else name): term for name, term in terms.items()}


def _condition(words: str) -> Filter:
    parts = words.split(maxsplit=2)
    if len(parts) != 3:
        why = "takes a field, an operator and a term, such as 'status is_not Succeeded'"
        raise InvalidSearch("search", [Problem(("--where",), why)])
    try:
        return Filter(*parts)
    except InvalidSearch as error:
        # Of what is said in Python, the alternative that only a program can write.
        reasons = [
            (str(problem.path[0]), problem.reason.partition("; one that is new")[0]) for problem in error.problems
        ]
    raise InvalidSearch(
        "search", [Problem(("--where",), f"the {_PARTS.get(name, name)} {reason}") for name, reason in reasons]
    )


_PARTS = {"field_name": "field", "search_operator": "operator", "search_term": "term"}


def _recipient(number: str) -> Filter:
    """A number, or a part of it with stars in the place of the rest."""
    part = number.removeprefix("*").removesuffix("*")
    if not part or "*" in part:
        why = "takes a number, or a part of it with * before it, after it or both"
        raise InvalidSearch("search", [Problem(("--to",), why)])
    operators = {
        (False, False): SearchOperator.IS,
        (True, False): SearchOperator.ENDS_WITH,
        (False, True): SearchOperator.STARTS_WITH,
        (True, True): SearchOperator.CONTAINS,
    }
    return Filter("to", operators[number.startswith("*"), number.endswith("*")], part)
