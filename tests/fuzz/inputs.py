"""Inputs out of a source of numbers: documented shapes, bent in a few places, or bytes that are bent themselves."""

import copy
import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from routee_failover import CallbackSigner
from tests.records import sample_responses
from tests.webhooks import payloads

T = TypeVar("T")
Json = dict[str, Any]

# At a time of its own: what a seed gives is the same whenever it is run.
SIGNER = CallbackSigner("k" * 40, base_url="https://fuzz.example", clock=lambda: 1_800_000_000.0)
SEEDS: list[Json] = [
    *payloads.SHAPES.values(),
    *(value for name, value in vars(sample_responses).items() if name.isupper() and isinstance(value, dict)),
]
BODIES: list[bytes] = [json.dumps(seed).encode() for seed in SEEDS]
SEGMENT = SIGNER.url("intent").rpartition("/")[2].encode()


class Source(Protocol):
    """Where decisions come from: a random generator, or a fuzzer that wants to see what they lead to."""

    def upto(self, most: int) -> int:
        """A number from 0 to `most`."""

    def text(self) -> str:
        """Some text, of any letters."""


class Randomly:
    """Decisions that a seed repeats."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)

    def upto(self, most: int) -> int:
        """A number from 0 to `most`."""
        return self._random.randint(0, most)

    def text(self) -> str:
        """Some text, of any letters but halves."""
        letters = (self._random.choice((0x20, 0x7F, 0x3FF, 0xD7FF, 0x10FFFF)) for _ in range(self.upto(12)))
        return "".join(chr(self._random.randint(0, most)).encode("utf-8", "replace").decode() for most in letters)


def _keys(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set(value) | set().union(*(_keys(item) for item in value.values()))
    return set().union(*(_keys(item) for item in value)) if isinstance(value, list) else set()


KEYS = sorted(set().union(*(_keys(seed) for seed in SEEDS)))
WORDS = ["", "Inbound", "Succeeded", "FAILED", "viber", "1e999", "-0", "٣"]
WORDS += ["2026-01-01T10:00:00Z", "9999-12-31T23:59:59+23:59", "0001-01-01T00:00:00-23:59"]
NUMBERS = [0, -1, 1.5, 1e308, -(2**63), 2**64 - 1, 2**64, 10**30, 0.1, 4711]


def one_of(source: Source, of: Sequence[T]) -> T:
    """One of these."""
    return of[source.upto(len(of) - 1)]


def value(source: Source, depth: int = 0) -> Any:
    """Anything that JSON can say."""
    makers: list[Callable[[], Any]] = [
        lambda: None,
        lambda: bool(source.upto(1)),
        lambda: one_of(source, NUMBERS),
        lambda: one_of(source, WORDS),
        source.text,
        lambda: copy.deepcopy(one_of(source, SEEDS)),
    ]
    if depth < 4:
        makers += [
            lambda: [value(source, depth + 1) for _ in range(source.upto(3))],
            lambda: {key(source): value(source, depth + 1) for _ in range(source.upto(3))},
            lambda: _deep(source.upto(130)),
        ]
    return one_of(source, makers)()


def key(source: Source) -> str:
    """A documented key, or any other."""
    return str(one_of(source, KEYS)) if source.upto(9) else source.text()


def _deep(levels: int) -> Any:
    inner: Any = None
    for level in range(levels):
        inner = [inner] if level % 2 else {"pin": inner}
    return inner


def _places(found: list[Any], inside: Any) -> list[Any]:
    if isinstance(inside, dict | list):
        found.append(inside)
        for item in inside.values() if isinstance(inside, dict) else inside:
            _places(found, item)
    return found


def bent(source: Source, shapes: Sequence[Json] = SEEDS) -> Json:
    """A documented answer or callback, or another of some shapes, that differs in up to six places."""
    shape = copy.deepcopy(one_of(source, shapes))
    for _ in range(source.upto(6)):
        place = one_of(source, _places([], shape)[:200])
        action = source.upto(4)
        if isinstance(place, dict):
            known = [*place] or [key(source)]
            name = one_of(source, known) if action else key(source)
            if action == 1:
                place.pop(name, None)
            else:
                place[name] = value(source)
        elif action and place:
            place[source.upto(len(place) - 1)] = value(source)
        else:
            place.extend([value(source)] * (1 + 999 * (source.upto(300) == 300)))
    return dict(shape)


def broken(source: Source, body: bytes) -> bytes:
    """Bytes that differ in up to six places: changed, doubled, left out, or cut off."""
    data = bytearray(body)
    for _ in range(1 + source.upto(5)):
        at = source.upto(max(len(data) - 1, 0))
        match source.upto(4):
            case 0:
                data[at : at + 1] = bytes([source.upto(255)])
            case 1:
                data[at:at] = data[at : at + source.upto(30)]
            case 2:
                del data[at : at + source.upto(10)]
            case 3:
                del data[at:]
            case _:
                data[at:at] = source.text().encode("utf-8", "surrogatepass")
    return bytes(data)
