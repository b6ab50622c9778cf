"""Samples of progress, and consoles of a fixed size that record their output."""

import io

from rich.console import Console, RenderableType

from routee_failover.bulk.progress import Phase, Progress, RowProblem
from routee_failover.cli.terminal import Terminal
from routee_failover.ledger import StateCounts

COUNTS = StateCounts(sending=100, accepted=6180, rejected=12, unknown=3, invalid=8)
ROW_PROBLEMS = (
    RowProblem(line=812, recipient="+3069****5678", outcome="REJECTED", reason="404: no such sender"),
    RowProblem(line=9, recipient="", outcome="INVALID", reason="to: is no phone number"),
)
SENDING = Progress(
    phase=Phase.SENDING,
    counts=COUNTS,
    total=10_000,
    read=6300,
    duplicates=10,
    rate=412.3,
    rate_limit=500.0,
    seconds_left=9.2,
    failover_share=0.134,
    problems=ROW_PROBLEMS,
    in_flight=100,
    elapsed=15.2,
)


def render(renderable: RenderableType, width: int, *, colours: bool = False) -> str:
    """Return what a console of that width prints."""
    console = Console(
        width=width,
        height=50,
        file=io.StringIO(),
        force_terminal=colours,
        color_system="standard" if colours else None,
        legacy_windows=False,
    )
    console.print(renderable)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


class RecordingTerminal(Terminal):
    """A terminal of a fixed size, or a pipe, that records its output."""

    def __init__(self, *, tty: bool = False, width: int = 80, height: int = 24, encoding: str = "utf-8") -> None:
        super().__init__()
        self._recorded = io.BytesIO()
        self.file = _File(self._recorded, encoding=encoding, tty=tty)
        self._width, self._height = width, height

    @property
    def text(self) -> str:
        """The recorded output."""
        self.file.flush()
        return self._recorded.getvalue().decode()


class _File(io.TextIOWrapper):
    def __init__(self, buffer: io.BytesIO, *, encoding: str, tty: bool) -> None:
        super().__init__(buffer, encoding=encoding, newline="\n")
        self._tty = tty

    def isatty(self) -> bool:
        return self._tty
