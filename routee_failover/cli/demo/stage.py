"""Where the demo is shown: a board that moves where the screen can carry one, else a line for every change."""

from collections.abc import Callable, Sequence
from typing import Protocol, Self

from rich.live import Live

from ...sandbox import Counts
from ...secret import mask_phone
from ..terminal import Terminal
from .board import WIDTH, board, final_board, height
from .journey import Ending, Journey

Now = Callable[[], float]


class Stage(Protocol):
    """What the demo tells its story to."""

    def __enter__(self) -> Self:
        """Begin."""
        ...

    def __exit__(self, *error: object) -> None:
        """End, and leave the terminal as it was."""
        ...

    def tell(self, journey: Journey, what: str) -> None:
        """Something has happened to a flow."""
        ...

    def draw(self, counts: Counts) -> None:
        """Time has passed."""
        ...

    def close(self) -> None:
        """All flows have ended."""
        ...


class Screen:
    """A board that is drawn over and over, when it is told to: a thread that draws could not be stopped well."""

    def __init__(self, console: Terminal, journeys: Sequence[Journey], now: Now) -> None:
        self._console, self._journeys, self._now = console, journeys, now
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._latest = ""

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._live.stop()

    def tell(self, journey: Journey, what: str) -> None:
        """Keep it for the line below the board."""
        self._latest = f"{journey.scene.title}: {what}"

    def draw(self, counts: Counts) -> None:
        """Draw the board as it is now."""
        frame = board(self._journeys, self._now(), counts, self._console.glyphs, self._latest)
        self._live.update(frame, refresh=True)

    def close(self) -> None:
        """Leave the last board on the screen, with the reasons."""
        self._live.stop()
        self._console.print(final_board(self._journeys, self._now(), self._console.glyphs))


class Lines:
    """One line a change, for a pipe, a log file, or a terminal too small for the board."""

    def __init__(self, console: Terminal, journeys: Sequence[Journey], now: Now) -> None:
        self._console, self._now = console, now
        self._wide = max(len(journey.scene.title) for journey in journeys)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def tell(self, journey: Journey, what: str) -> None:
        """Print it."""
        scene = journey.scene
        head = f"{self._now():5.1f} s  {scene.endpoint:<13}  {scene.title:<{self._wide}}  "
        self._console.say(head + (f"to {mask_phone(scene.recipient)}: " if what == "accepted" else "") + what)
        if journey.ending is Ending.NEVER_SENT:
            for line in journey.reason[1:]:
                self._console.say(" " * 9 + line)

    def draw(self, counts: Counts) -> None:
        """Nothing has changed that was not told."""

    def close(self) -> None:
        """All was told."""


def stage_for(console: Terminal, journeys: Sequence[Journey], now: Now) -> Stage:
    """The board where it fits, else lines."""
    fits = console.width >= WIDTH and console.height > height(journeys)
    kind = Screen if console.animates and fits else Lines
    return kind(console, journeys, now)
