"""How the rows of a run stand, counted once for every view, and numbers as people read them."""

from typing import Any, NamedTuple

import attrs

from ....bulk.progress import Progress
from ....ledger import StateCounts


class RowGroup(NamedTuple):
    """Rows that stand alike."""

    name: str
    number: int
    style: str


@attrs.frozen(kw_only=True)
class RowCounts:
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
    in_flight: int = 0
    new: int = 0
    """Of those that are left: the ledger holds them."""
    missing_from_source: int = 0
    """Of the new ones: a run that went through its whole source did not meet them."""
    incomplete: bool = False
    """Whether a run ended early that had not met all of an earlier one's rows: nobody knows how many are left."""
    total: int | None = None
    """How many rows the source has."""

    @classmethod
    def from_progress(cls, progress: Progress) -> "RowCounts":
        """That of a run."""
        return cls.from_counts(
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
    def after_run(cls, progress: Progress, *, interrupted: bool, done_before: int) -> "RowCounts":
        """That of a run which has ended; an earlier one had dealt with so many rows."""
        tally = cls.from_progress(progress)
        if _is_complete(progress, interrupted=interrupted):
            return attrs.evolve(tally, missing_from_source=tally.new)
        return attrs.evolve(tally, incomplete=tally.total is not None and progress.skipped < done_before)

    @classmethod
    def from_counts(
        cls,
        counts: StateCounts,
        *,
        in_flight: int | None = None,
        missing_from_source: int = 0,
        suppressed_new: int = 0,
        **known: Any,
    ) -> "RowCounts":
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
            in_flight=under_way,
            new=new + counts.sending - under_way,
            missing_from_source=min(missing_from_source, new),
            **known,
        )

    @property
    def done(self) -> int:
        """Rows of which it is known what became of them, and those of which nobody will know more by waiting."""
        own = self.accepted + self.rejected + self.unknown + self.expired + self.invalid
        return own + self.duplicates + self.suppressed

    @property
    def remaining(self) -> int | None:
        """Rows that are not sent yet; `None` while nobody knows how many there are."""
        if self.total is None:
            return self.new or None
        return max(self.total - self.done - self.in_flight, self.new)

    @property
    def all_rows(self) -> int | None:
        """All rows: those of the source, and messages of the ledger whose rows are not in it any more."""
        return None if self.total is None else max(self.total, self.done + self.in_flight + self.new)

    @property
    def not_in_source(self) -> int:
        """How many messages of the ledger, at least, are not in the source any more."""
        return 0 if self.total is None else (self.all_rows or 0) - self.total

    @property
    def has_remaining(self) -> bool:
        """Whether another run has something to send, as far as is known."""
        return bool(self.remaining or self.in_flight or self.incomplete)

    @property
    def done_share(self) -> float | None:
        """How much of it is done, from 0 to 1."""
        return self.done / self.all_rows if self.all_rows else None

    def groups(self) -> list[RowGroup]:
        """What is worth a place on a screen, the usual ones always and the others where there are any."""
        groups = [
            RowGroup("accepted", self.accepted, "green"),
            RowGroup("rejected", self.rejected, "red"),
            RowGroup("unknown", self.unknown, "magenta"),
            RowGroup("invalid", self.invalid, "yellow"),
            RowGroup("duplicates", self.duplicates, "dim"),
            RowGroup("deferred", self.deferred, "cyan"),
            RowGroup("under way", self.in_flight, "cyan"),
        ]
        if self.expired:
            groups.insert(4, RowGroup("expired", self.expired, "yellow"))
        if self.suppressed:
            groups.insert(-2, RowGroup("suppressed", self.suppressed, "dim"))
        if self.remaining is not None:
            groups.append(RowGroup("not sent yet", self.remaining, ""))
        return groups


def with_final_totals(progress: Progress, *, interrupted: bool) -> Progress:
    """The end of a run with what is known where it has gone through its whole source: no row of that is left.

    Those that are not in the ledger by themselves have the key of another. An earlier run may have sent that one, and
    then nobody has counted them.
    """
    if progress.total is None or not _is_complete(progress, interrupted=interrupted):
        return progress
    tally = RowCounts.from_progress(progress)
    own = tally.done - tally.duplicates + tally.in_flight
    return attrs.evolve(progress, total=progress.read, duplicates=max(progress.read - own, 0))


def _is_complete(progress: Progress, *, interrupted: bool) -> bool:
    """Whether all rows of the source were met and none was put off."""
    return not (interrupted or progress.pause_reason is not None or progress.deferred)


def format_number(value: int) -> str:
    """12,345."""
    return f"{value:,}"


def format_percent(share: float) -> str:
    """A share as it is read; neither 0 nor 100 % before it is all or nothing."""
    shown = share * 100
    if 0 < shown < 0.1:
        return "under 0.1 %"
    if shown < 10 and shown != int(shown):
        return f"{shown:.1f} %"
    return f"{min(int(shown), 99) if share < 1 else 100} %"


def format_duration(seconds: float) -> str:
    """A time that passes: 8 s, 2:05 min, 3:20:00 h."""
    whole = max(int(seconds + 0.5), 0)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}:{rest:02} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours < 48 else f"{hours // 24} days {hours % 24} h"


def format_rate(rate: float) -> str:
    """412/s, 0.5/s."""
    return f"{rate:,.0f}/s" if rate >= 10 or rate == int(rate) else f"{rate:.1f}/s"
