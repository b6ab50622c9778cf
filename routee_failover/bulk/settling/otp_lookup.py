"""Looking for failover OTP flows: their list goes by recipient and label, and by no time."""

import contextlib
from collections.abc import Mapping, Sequence

from ...client import RouteeClient
from ...errors import NotFound
from ...ledger import Intent, Ledger
from ...ledger.intent import label_of
from ...records import OtpRecord
from .sight import NO_NUMBER, CannotTell, Nameless, NotSeen, Seen, Sight

_NOBODYS = (1 << 63) - 1
"""A tag that no key has, or one in 2**63."""

_SURE = 3
"""How often a list has to be answered with 404 before that is taken to mean that it is empty. Whatever stands between
us and Routee may answer 404 now and then, and then what Routee has taken would be sent again."""


class OtpLookup:
    """Looks for failover OTP flows by recipient and label.

    The records in the list do not show the label, so that one has to trust Routee to go by it. That it does is tried
    once, with a label that nobody has.
    """

    def __init__(self, routee: RouteeClient, ledger: Ledger) -> None:
        self._routee = routee
        self._ledger = ledger
        self._goes_by_label: bool | None = None

    async def look(self, intent: Intent, since: float) -> Sight:  # noqa: ARG002  # it cannot be asked for times
        """Look for a message in doubt."""
        if not intent.recipient:
            return CannotTell(NO_NUMBER, ever=False)
        records = await self._records(intent.recipient, intent.tag)
        if not records:
            return NotSeen()
        if not await self._is_by_label(intent.recipient):
            return CannotTell("Routee's list of OTP flows does not go by their label", ever=False)
        first = records[0].primary
        return Seen(records[0].flow_id, None if first is None else first.channel, records[0])

    async def judge(self, unclear: Sequence[tuple[Intent, Nameless]]) -> Mapping[int, Sight]:
        """Its list is asked for the label: nothing in it is without a name."""
        return {intent.number: NotSeen() for intent, _ in unclear}

    async def shows(self, control: Intent) -> bool:
        """Whether the list has a message that is known to be accepted."""
        records = await self._records(control.recipient, control.tag)
        return any(record.flow_id == control.identity for record in records)

    async def _records(self, recipient: str, tag: int) -> list[OtpRecord]:
        label = label_of(self._ledger.run_id, tag)
        for _ in range(_SURE):
            with contextlib.suppress(NotFound):
                return [record async for record in self._routee.search_otp(phone_number=recipient, tag=label)]
        return []  # documented for this list and not explained: that there are none, as the control has to show

    async def _is_by_label(self, recipient: str) -> bool:
        """Whether the list leaves out what has another label. The recipient has at least one flow."""
        if self._goes_by_label is None:
            self._goes_by_label = not await self._records(recipient, _NOBODYS)
        return self._goes_by_label
