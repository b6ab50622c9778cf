"""Sample runs: failover between channels, slow responses, rejected and unknown messages, and a pause overnight.

The same seed makes the same run.
"""

import random
from collections.abc import AsyncIterator, Collection, Iterator
from typing import Any

import attrs

from routee_failover.ledger import DeliveryReport, EntryState, LedgerEntry, MemoryLedger
from routee_failover.ledger.entry import hash_key

STARTED_AT = 1_763_676_000.0  # 2025-11-20 22:00 UTC
CALLING_CODES = {"GR": ("+3069", 8), "CY": ("+3579", 7), "IT": ("+393", 9), "DE": ("+4915", 9), "GB": ("+447", 9)}
SHARES = (58, 14, 12, 10, 6)
PRICES = {"Viber": 0.011, "Sms": 0.034, "Voice": 0.052}
REJECTED_REASONS = (
    "Routee answered 400: the recipient's number is not valid (400005000)",
    "Routee answered 403: the application may not send to this country",
    "Routee answered 422: the sender id is not registered with the operator",
    "Routee answered 404: no template of this name",
)
UNKNOWN_REASONS = (
    "the connection was lost after the request was written",
    "Routee answered 502",
    "the connection was closed before a response came",
)
INVALID_REASONS = (
    "flow[0].to: is not a number in E.164 form",
    "flow[1].message.body: has 1,702 characters, of which 1,530 go into one message",
    "column 'name' is empty",
)


class SampleLedger(MemoryLedger):
    """Ledger over an iterator of entries, which may be more than fit into memory."""

    def __init__(
        self, entries: Iterator[LedgerEntry] | None = None, *, run_settings: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self._run_id = "k3v7qz2mxw5a"
        self._given_entries = entries
        if run_settings is not None:
            self._documents["run"] = run_settings

    async def entries(
        self, states: Collection[EntryState] | None = None, *, without_report: bool = False
    ) -> AsyncIterator[LedgerEntry]:
        """Iterate over the given entries, once."""
        for entry in self._given_entries or ():
            if states is None or entry.state in states:
                yield entry


RUN_SETTINGS = {"endpoint": "otp", "recipients": "/srv/lists/customers.csv", "flow": "reminder.json"}


def sample_run(rows: int = 10_000, **settings: Any) -> SampleLedger:
    """Return a run with this number of rows; see `sample_entries`."""
    return SampleLedger(sample_entries(rows, **settings), run_settings=RUN_SETTINGS)


def sample_entries(
    rows: int,
    *,
    seed: int = 7,
    rate: float = 40.0,
    reported_share: float = 0.985,
    pause: float = 0.0,
    failure_factor: float = 1.0,
    unsent: int = 0,
) -> Iterator[LedgerEntry]:
    """Yield entries, `rate` a second, with a `pause` in seconds after three fifths.

    `reported_share` of the accepted have a delivery report. `failure_factor` makes rejected and unknown messages more
    or less frequent. The last `unsent` entries are not sent.
    """
    chance = random.Random(seed)
    time = STARTED_AT
    for number in range(1, rows + 1):
        if number == rows * 3 // 5:
            time += pause
        progress = number / rows
        # It starts slowly, and has a dent, as after a 429 response.
        current_rate = rate * (
            min(1.0, 0.15 + progress * 9) * (0.3 if 0.41 < progress < 0.45 else 1.0) * chance.uniform(0.8, 1.2)
        )
        time += chance.expovariate(current_rate)
        yield _sample_entry(chance, number, time, reported_share, failure_factor, number > rows - unsent)


def _sample_entry(
    chance: random.Random, number: int, time: float, reported_share: float, failure_factor: float, unsent: bool
) -> LedgerEntry:
    country = chance.choices([*CALLING_CODES], SHARES)[0]
    prefix, digits = CALLING_CODES[country]
    recipient = prefix + str(chance.randrange(10**digits)).zfill(digits)
    new_entry = LedgerEntry(
        number=number,
        key_hash=hash_key(recipient),
        key=recipient,
        recipient=recipient,
        line=number + 1,
        state=EntryState.NEW,
        attempt=0,
        claimed_at=time,
        lease_expires_at=time + 60,
    )
    draw = chance.random() / failure_factor
    seconds = min(chance.lognormvariate(-2.3, 0.45) + (chance.random() < 0.02) * chance.lognormvariate(0.2, 0.6), 29.0)
    sent = attrs.evolve(new_entry, attempt=1 + (chance.random() < 0.01), response_time=seconds, ended_at=time + seconds)
    if draw < 0.004:
        return attrs.evolve(new_entry, state=EntryState.INVALID, ended_at=time, reason=_choose(chance, INVALID_REASONS))
    if unsent:
        return new_entry
    if draw < 0.017:
        return attrs.evolve(
            sent, state=EntryState.REJECTED, reason=_choose(chance, REJECTED_REASONS), resolved_by="response"
        )
    if draw < 0.0185:
        return attrs.evolve(sent, state=EntryState.UNKNOWN, reason=_choose(chance, UNKNOWN_REASONS), ended_at=time + 30)
    if draw < 0.0195:
        return attrs.evolve(new_entry, state=EntryState.EXPIRED, reason="its deadline passed before it was sent")
    resolved_by = chance.choices(("response", "search", "callback"), (97, 2, 1))[0]
    first_channel = chance.choices(("Viber", "Sms"), (86, 14))[0]
    accepted = attrs.evolve(
        sent,
        state=EntryState.ACCEPTED,
        resolved_by=resolved_by,
        channel=first_channel,
        tracking_id=f"{chance.getrandbits(128):032x}",
    )
    if chance.random() > reported_share:
        return accepted
    return attrs.evolve(accepted, delivery_report=_sample_delivery_report(chance, number, first_channel, country))


def _sample_delivery_report(chance: random.Random, number: int, first_channel: str, country: str) -> DeliveryReport:
    final_channel = first_channel
    seconds = chance.lognormvariate(1.0, 0.7)
    if first_channel == "Viber" and chance.random() < 0.23:
        final_channel, seconds = "Sms", seconds + 60
    if final_channel == "Sms" and chance.random() < 0.05:
        final_channel, seconds = "Voice", seconds + 120
    price = PRICES[final_channel] * (1.0 if country in {"GR", "CY"} else 1.6)
    if chance.random() < 0.012:
        reason = _choose(chance, ("the handset was off", "the number is not in use", "no next step"))
        return DeliveryReport(number, "Failed", final_channel, price, country, reason, seconds)
    if chance.random() < 0.004:
        return DeliveryReport(number, "InProgress", None, None, None)
    return DeliveryReport(number, "Succeeded", final_channel, price, country, None, seconds)


def _choose(chance: random.Random, texts: tuple[str, ...]) -> str:
    return chance.choices(texts, [2**-index for index in range(len(texts))])[0]


def all_accepted(count: int, *, delivery_report: DeliveryReport | None = None, seconds: float = 10) -> SampleLedger:
    """Return messages that were all accepted, at a constant rate, all with this delivery report."""
    (template,) = sample_entries(1, failure_factor=1e-9)
    entries = (
        attrs.evolve(
            template,
            number=number,
            line=number,
            claimed_at=STARTED_AT + number * seconds / count,
            ended_at=STARTED_AT + number * seconds / count + 0.1,
            response_time=0.1,
            resolved_by="response",
            channel="Viber",
            delivery_report=delivery_report,
        )
        for number in range(1, count + 1)
    )
    return SampleLedger(entries, run_settings=RUN_SETTINGS)
