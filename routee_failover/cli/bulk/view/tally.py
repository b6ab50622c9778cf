"""How the rows of a run stand, counted once for every view, and numbers as people read them."""

from typing import Any, NamedTuple

import attrs

from ....bulk.progress import Progress
from ....ledger import StateCounts


class Group(NamedTuple):
    """Rows that stand alike."""

    name: str
    number: int
    style: str


@attrs.frozen(kw_only=True)
class Tally:
    """How many rows stand how; each row counts once."""

    accepted: int = 0
    rejected: int = 0
    unknown: int = 0
    expired: int = 0
    invalid: int = 0
    key_conflicts: int = 0
    """Of the invalid ones: they have the key of a message to another recipient."""
    duplicates: int = 0
    deferred: int = 0
    """Of those that are left: they wait for the hours of their recipients."""
    suppressed: int = 0
    """On the suppression list."""
    limit_reached: bool = False
    """Whether a limit on the number of messages has kept some back."""
    under_way: int = 0
    new: int = 0
    """Of those that are left: the ledger holds them."""
    stranded: int = 0
    """Of the new ones: a run that went through its whole source did not meet them."""
    cut_short: bool = False
    """Whether a run ended early that had not met all of an earlier one's rows: nobody knows how many are left."""
    total: int | None = None
    """How many rows the source has."""

    @classmethod
    def of(cls, progress: Progress) -> "Tally":
        """That of a run."""
        return cls.counted(
            progress.counts,
            in_flight=progress.in_flight,
            total=progress.total,
            key_conflicts=progress.key_conflicts,
            duplicates=progress.duplicates,
            deferred=progress.deferred,
            suppressed=progress.suppressed,
            suppressed_new=progress.suppressed_new,
            limit_reached=progress.limit_reached,
        )

    @classmethod
    def at_the_end(cls, progress: Progress, *, interrupted: bool, settled_before: int) -> "Tally":
        """That of a run which has ended; an earlier one had dealt with so many rows."""
        tally = cls.of(progress)
        if _is_complete(progress, interrupted=interrupted):
            return attrs.evolve(tally, stranded=tally.new)
        return attrs.evolve(tally, cut_short=tally.total is not None and progress.skipped < settled_before)

    @classmethod
    def counted(
        cls,
        counts: StateCounts,
        *,
        in_flight: int | None = None,
        stranded: int = 0,
        suppressed_new: int = 0,
        **known: Any,
    ) -> "Tally":
        """That of a ledger, with what only the source knows.

        What is claimed and not `in_flight` waits for its turn; without that number all that is claimed is under way.
        """
        under_way = counts.sending if in_flight is None else min(in_flight, counts.sending)
        new = max(counts.new - suppressed_new, 0)
        return cls(
            accepted=counts.accepted,
            rejected=counts.rejected,
            unknown=counts.unknown,
            expired=counts.expired,
            invalid=counts.invalid,
            under_way=under_way,
            new=new + counts.sending - under_way,
            stranded=min(stranded, new),
            **known,
        )

    @property
    def done(self) -> int:
        """Rows of which it is known what became of them, and those of which nobody will know more by waiting."""
        own = self.accepted + self.rejected + self.unknown + self.expired + self.invalid
        return own + self.duplicates + self.suppressed

    @property
    def left(self) -> int | None:
        """Rows that are not sent yet; `None` while nobody knows how many there are."""
        if self.total is None:
            return self.new or None
        return max(self.total - self.done - self.under_way, self.new)

    @property
    def whole(self) -> int | None:
        """All rows: those of the source, and messages of the ledger whose rows are not in it any more."""
        return None if self.total is None else max(self.total, self.done + self.under_way + self.new)

    @property
    def gone(self) -> int:
        """How many messages of the ledger, at least, are not in the source any more."""
        return 0 if self.total is None else (self.whole or 0) - self.total

    @property
    def open(self) -> bool:
        """Whether another run has something to send, as far as is known."""
        return bool(self.left or self.under_way or self.cut_short)

    @property
    def share(self) -> float | None:
        """How much of it is done, from 0 to 1."""
        return self.done / self.whole if self.whole else None

    def groups(self) -> list[Group]:
        """What is worth a place on a screen, the usual ones always and the others where there are any."""
        groups = [
            Group("accepted", self.accepted, "green"),
            Group("rejected", self.rejected, "red"),
            Group("unknown", self.unknown, "magenta"),
            Group("invalid", self.invalid, "yellow"),
            Group("duplicates", self.duplicates, "dim"),
            Group("deferred", self.deferred, "cyan"),
            Group("under way", self.under_way, "cyan"),
        ]
        if self.expired:
            groups.insert(4, Group("expired", self.expired, "yellow"))
        if self.suppressed:
            groups.insert(-2, Group("suppressed", self.suppressed, "dim"))
        if self.left is not None:
            groups.append(Group("not sent yet", self.left, ""))
        return groups


def completed(progress: Progress, *, interrupted: bool) -> Progress:
    """The end of a run with what is known where it has gone through its whole source: no row of that is left.

    Those that are not in the ledger by themselves have the key of another. An earlier run may have sent that one, and
    then nobody has counted them.
    """
    if progress.total is None or not _is_complete(progress, interrupted=interrupted):
        return progress
    tally = Tally.of(progress)
    own = tally.done - tally.duplicates + tally.under_way
    return attrs.evolve(progress, total=progress.read, duplicates=max(progress.read - own, 0))


def _is_complete(progress: Progress, *, interrupted: bool) -> bool:
    """Whether all rows of the source were met and none was put off."""
    return not (interrupted or progress.pause_reason is not None or progress.deferred)


def number(value: int) -> str:
    """12,345."""
    return f"{value:,}"


def percent(share: float) -> str:
    """A share as it is read; neither 0 nor 100 % before it is all or nothing."""
    shown = share * 100
    if 0 < shown < 0.1:
        return "under 0.1 %"
    if shown < 10 and shown != int(shown):
        return f"{shown:.1f} %"
    return f"{min(int(shown), 99) if share < 1 else 100} %"


def span(seconds: float) -> str:
    """A time that passes: 8 s, 2:05 min, 3:20:00 h."""
    whole = max(int(seconds + 0.5), 0)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours < 48 else f"{hours // 24} days {hours % 24} h"


def per_second(rate: float) -> str:
    """412/s, 0.5/s."""
    return f"{rate:,.0f}/s" if rate >= 10 or rate == int(rate) else f"{rate:.1f}/s"
