"""Runs as they happen, made up: channels that fail over, answers that are slow, refusals, doubts and a night's pause.

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
    "no answer came within 30 s",
)
INVALID_REASONS = (
    "flow[0].to: is no number in E.164 form",
    "flow[1].message.body: has 1,702 characters, of which 1,530 go into one message",
    "column 'name' is empty",
)


class SampleLedger(MemoryLedger):
    """A ledger that holds whatever intents it is given, also more than fit into memory."""

    def __init__(
        self, intents: Iterator[LedgerEntry] | None = None, *, run_settings: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self._run_id = "k3v7qz2mxw5a"
        self._given_entries = intents
        if run_settings is not None:
            self._documents["run"] = run_settings

    async def entries(
        self, states: Collection[EntryState] | None = None, *, without_report: bool = False
    ) -> AsyncIterator[LedgerEntry]:
        """Those that were given, once."""
        for intent in self._given_entries or ():
            if states is None or intent.state in states:
                yield intent


RUN_SETTINGS = {"endpoint": "otp", "recipients": "/srv/lists/customers.csv", "flow": "reminder.json"}


def sample_run(rows: int = 10_000, **settings: Any) -> SampleLedger:
    """A run of so many rows; see `intents`."""
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
    """So many intents: `rate` a second, a share of `fates` known, with a `pause` of seconds after three fifths.

    `troubles` makes refusals and doubts more or less frequent; `unsent` are left over at the end.
    """
    chance = random.Random(seed)
    moment = STARTED_AT
    for number in range(1, rows + 1):
        if number == rows * 3 // 5:
            moment += pause
        through = number / rows
        # It starts slowly, has a dent where Routee asked for a pause, and tails off.
        pace = rate * (
            min(1.0, 0.15 + through * 9) * (0.3 if 0.41 < through < 0.45 else 1.0) * chance.uniform(0.8, 1.2)
        )
        moment += chance.expovariate(pace)
        yield _sample_entry(chance, number, moment, reported_share, failure_factor, number > rows - unsent)


def _sample_entry(
    chance: random.Random, number: int, moment: float, fates: float, troubles: float, unsent: bool
) -> LedgerEntry:
    country = chance.choices([*CALLING_CODES], SHARES)[0]
    prefix, digits = CALLING_CODES[country]
    recipient = prefix + str(chance.randrange(10**digits)).zfill(digits)
    blank = LedgerEntry(
        number=number,
        key_hash=hash_key(recipient),
        key=recipient,
        recipient=recipient,
        line=number + 1,
        state=EntryState.NEW,
        attempt=0,
        claimed_at=moment,
        lease_expires_at=moment + 60,
    )
    lot = chance.random() / troubles
    seconds = min(chance.lognormvariate(-2.3, 0.45) + (chance.random() < 0.02) * chance.lognormvariate(0.2, 0.6), 29.0)
    answered = attrs.evolve(
        blank, attempt=1 + (chance.random() < 0.01), response_time=seconds, ended_at=moment + seconds
    )
    if lot < 0.004:
        return attrs.evolve(blank, state=EntryState.INVALID, ended_at=moment, reason=_choose(chance, INVALID_REASONS))
    if unsent:
        return blank
    if lot < 0.017:
        return attrs.evolve(
            answered, state=EntryState.REJECTED, reason=_choose(chance, REJECTED_REASONS), resolved_by="answer"
        )
    if lot < 0.0185:
        return attrs.evolve(
            answered, state=EntryState.UNKNOWN, reason=_choose(chance, UNKNOWN_REASONS), ended_at=moment + 30
        )
    if lot < 0.0195:
        return attrs.evolve(blank, state=EntryState.EXPIRED, reason="its deadline passed before its turn came")
    proof = chance.choices(("answer", "search", "callback"), (97, 2, 1))[0]
    first = chance.choices(("Viber", "Sms"), (86, 14))[0]
    accepted = attrs.evolve(
        answered,
        state=EntryState.ACCEPTED,
        resolved_by=proof,
        channel=first,
        tracking_id=f"{chance.getrandbits(128):032x}",
    )
    if chance.random() > fates:
        return accepted
    return attrs.evolve(accepted, delivery_report=_sample_delivery_report(chance, number, first, country))


def _sample_delivery_report(chance: random.Random, number: int, first: str, country: str) -> DeliveryReport:
    ended = first
    seconds = chance.lognormvariate(1.0, 0.7)
    if first == "Viber" and chance.random() < 0.23:
        ended, seconds = "Sms", seconds + 60
    if ended == "Sms" and chance.random() < 0.05:
        ended, seconds = "Voice", seconds + 120
    price = PRICES[ended] * (1.0 if country in {"GR", "CY"} else 1.6)
    if chance.random() < 0.012:
        reason = _choose(chance, ("the handset was off", "the number is not in use", "no next step"))
        return DeliveryReport(number, "Failed", ended, price, country, reason, seconds)
    if chance.random() < 0.004:
        return DeliveryReport(number, "InProgress", None, None, None)
    return DeliveryReport(number, "Succeeded", ended, price, country, None, seconds)


def _choose(chance: random.Random, texts: tuple[str, ...]) -> str:
    return chance.choices(texts, [2**-place for place in range(len(texts))])[0]


def all_accepted(count: int, *, delivery_report: DeliveryReport | None = None, seconds: float = 10) -> SampleLedger:
    """So many messages that were all accepted, evenly, and all have this delivery report."""
    (whole,) = sample_entries(1, failure_factor=1e-9)
    made = (
        attrs.evolve(
            whole,
            number=at,
            line=at,
            claimed_at=STARTED_AT + at * seconds / count,
            ended_at=STARTED_AT + at * seconds / count + 0.1,
            response_time=0.1,
            resolved_by="answer",
            channel="Viber",
            delivery_report=delivery_report,
        )
        for at in range(1, count + 1)
    )
    return SampleLedger(made, run_settings=RUN_SETTINGS)
