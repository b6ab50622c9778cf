"""Looking for failover OTP flows: their list goes by recipient and label, and by no time."""

import contextlib
from collections.abc import Mapping, Sequence

from ...client import RouteeClient
from ...errors import NotFound
from ...ledger import Ledger, LedgerEntry
from ...ledger.entry import build_label
from ...records import OtpRecord
from .sight import NO_NUMBER, CannotTell, Nameless, NotSeen, Seen, Sight

_NOBODYS = (1 << 63) - 1
"""A tag that no key has, or one in 2**63."""

_SURE = 3
"""How often a list that must be empty has to be answered with 404 before that is taken to mean that it is."""


class OtpLookup:
    """Looks for failover OTP flows by recipient and label.

    The records in the list do not show the label, so that one has to trust Routee to go by it. That it does is tried
    once, with a label that nobody has.
    """

    def __init__(self, routee: RouteeClient, ledger: Ledger) -> None:
        self._routee = routee
        self._ledger = ledger
        self._goes_by_label: bool | None = None
        self._lists_nothing = False
        """Whether an empty list was seen."""

    async def look(self, intent: LedgerEntry, since: float) -> Sight:  # noqa: ARG002  # it cannot be asked for times
        """Look for a message in doubt."""
        if not intent.recipient:
            return CannotTell(NO_NUMBER, ever=False)
        records = await self._records(intent.recipient, intent.key_hash)
        if not records:
            return NotSeen()
        if not await self._is_by_label(intent.recipient):
            return CannotTell("Routee's list of OTP flows does not go by their label", ever=False)
        first = records[0].primary
        return Seen(records[0].flow_id, None if first is None else first.channel, records[0])

    async def judge(self, unclear: Sequence[tuple[LedgerEntry, Nameless]]) -> Mapping[int, Sight]:
        """Its list is asked for the label: nothing in it is without a name."""
        return {intent.number: NotSeen() for intent, _ in unclear}

    async def shows(self, control: LedgerEntry) -> bool:
        """Whether the list has a message that is known to be accepted."""
        records = await self._records(control.recipient, control.key_hash)
        return any(record.flow_id == control.tracking_id for record in records)

    async def _records(self, recipient: str, tag: int) -> list[OtpRecord]:
        try:
            return await self._asked(recipient, tag)
        except NotFound:
            if await self._is_404_for_none(recipient):
                return []
            raise

    async def _asked(self, recipient: str, tag: int) -> list[OtpRecord]:
        label = build_label(self._ledger.run_id, tag)
        return [record async for record in self._routee.search_otp(phone_number=recipient, tag=label)]

    async def _is_404_for_none(self, recipient: str) -> bool:
        """Whether the list is answered with 404 where it holds nothing: Routee documents the 404 and not what it means.

        A list that must be empty, of a label that nobody has, shows it. Once that was answered otherwise, a 404 comes
        of something that stands between us and Routee, and proves nothing.
        """
        for _ in range(_SURE):
            if self._lists_nothing:
                return False
            with contextlib.suppress(NotFound):
                self._lists_nothing = not await self._asked(recipient, _NOBODYS)
                return False
        return True

    async def _is_by_label(self, recipient: str) -> bool:
        """Whether the list leaves out what has another label. The recipient has at least one flow."""
        if self._goes_by_label is None:
            self._goes_by_label = not await self._records(recipient, _NOBODYS)
        return self._goes_by_label
