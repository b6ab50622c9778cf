"""`routee-failover templates`: lists the templates for failover OTP flows."""

import asyncio
from collections.abc import Iterable
from typing import Annotated

import typer
from rich.table import Table

from ..client import RouteeClient
from ..config import Config
from ..flows.otp_template_ids import find_otp_template
from ..records import OtpTemplate
from .error_output import ErrorContext, handle_errors
from .record_formats import format_json
from .terminal import Terminal, printable


def templates(
    as_json: Annotated[bool, typer.Option("--json", help="Print Routee's templates, one per line.")] = False,
) -> None:
    """List the templates for failover OTP flows. Read-only.

    Name and parameters are those that Routee documents for the id.

    Example: [cyan]routee-failover templates[/]
    """
    with handle_errors(ErrorContext(state_text="nothing was changed", not_found_hint="Check ROUTEE_API_URL.")):
        console = Terminal()
        found = asyncio.run(_templates(Config.from_env()))
        if as_json:
            for template in found:
                console.print_line(format_json(template.raw, ascii_only=not console.encoding.startswith("utf")))
        elif found:
            console.print(_table(found))
        else:
            console.print_line("No templates.")


async def _templates(config: Config) -> tuple[OtpTemplate, ...]:
    async with RouteeClient(config) as routee:
        return await routee.otp_templates()


def _table(found: Iterable[OtpTemplate]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("id", no_wrap=True, overflow="fold", min_width=len("0aac888f-2ee2-4112-9659-1755a951966a"))
    for name in ("type", "name", "parameters"):
        table.add_column(name, overflow="fold")
    for template in found:
        public = find_otp_template(template.template_id)
        name, parameters = ("", "") if public is None else (public.description, ", ".join(public.parameters))
        cells = (template.template_id or "?", template.template_type or "", name, parameters)
        table.add_row(*map(printable, cells))
    return table
