"""Generated inputs: documented JSON documents with a few mutations, or documents whose bytes are mutated."""

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

# With a fixed clock, so that a seed generates the same input at any time.
SIGNER = CallbackSigner("k" * 40, base_url="https://fuzz.example", clock=lambda: 1_800_000_000.0)
SEEDS: list[Json] = [
    *payloads.SHAPES.values(),
    *(value for name, value in vars(sample_responses).items() if name.isupper() and isinstance(value, dict)),
]
BODIES: list[bytes] = [json.dumps(seed).encode() for seed in SEEDS]
SEGMENT = SIGNER.url("reference").rpartition("/")[2].encode()


class Source(Protocol):
    """Source of decisions: a random generator, or a fuzzer that is guided by coverage."""

    def upto(self, maximum: int) -> int:
        """Return a number from 0 to `maximum`."""

    def text(self) -> str:
        """Return some text of any letters."""


class RandomSource:
    """Random decisions that are reproducible with a seed."""

    def __init__(self, seed: int | str) -> None:
        self._random = random.Random(seed)

    def upto(self, maximum: int) -> int:
        """Return a number from 0 to `maximum`."""
        return self._random.randint(0, maximum)

    def text(self) -> str:
        """Return some text of any letters except halves of surrogate pairs."""
        letters = (self._random.choice((0x20, 0x7F, 0x3FF, 0xD7FF, 0x10FFFF)) for _ in range(self.upto(12)))
        return "".join(chr(self._random.randint(0, maximum)).encode("utf-8", "replace").decode() for maximum in letters)


def _keys(value: Any) -> set[str]:
    if isinstance(value, Mapping):
        return set(value) | set().union(*(_keys(item) for item in value.values()))
    return set().union(*(_keys(item) for item in value)) if isinstance(value, list) else set()


KEYS = sorted(set().union(*(_keys(seed) for seed in SEEDS)))
WORDS = ["", "Inbound", "Succeeded", "FAILED", "viber", "1e999", "-0", "٣"]
WORDS += ["2026-01-01T10:00:00Z", "9999-12-31T23:59:59+23:59", "0001-01-01T00:00:00-23:59"]
NUMBERS = [0, -1, 1.5, 1e308, -(2**63), 2**64 - 1, 2**64, 10**30, 0.1, 4711]


def one_of(source: Source, choices: Sequence[T]) -> T:
    """Return one of the choices."""
    return choices[source.upto(len(choices) - 1)]


def value(source: Source, depth: int = 0) -> Any:
    """Return any value that JSON can represent."""
    generators: list[Callable[[], Any]] = [
        lambda: None,
        lambda: bool(source.upto(1)),
        lambda: one_of(source, NUMBERS),
        lambda: one_of(source, WORDS),
        source.text,
        lambda: copy.deepcopy(one_of(source, SEEDS)),
    ]
    if depth < 4:
        generators += [
            lambda: [value(source, depth + 1) for _ in range(source.upto(3))],
            lambda: {key(source): value(source, depth + 1) for _ in range(source.upto(3))},
            lambda: _deep(source.upto(130)),
        ]
    return one_of(source, generators)()


def key(source: Source) -> str:
    """Return a documented key, or any other."""
    return str(one_of(source, KEYS)) if source.upto(9) else source.text()


def _deep(levels: int) -> Any:
    inner: Any = None
    for level in range(levels):
        inner = [inner] if level % 2 else {"pin": inner}
    return inner


def _containers(containers: list[Any], value: Any) -> list[Any]:
    if isinstance(value, dict | list):
        containers.append(value)
        for item in value.values() if isinstance(value, dict) else value:
            _containers(containers, item)
    return containers


def mutate_json(source: Source, documents: Sequence[Json] = SEEDS) -> Json:
    """Return a documented response or callback, or one of some other documents, with up to six mutations."""
    document = copy.deepcopy(one_of(source, documents))
    for _ in range(source.upto(6)):
        container = one_of(source, _containers([], document)[:200])
        action = source.upto(4)
        if isinstance(container, dict):
            known = [*container] or [key(source)]
            name = one_of(source, known) if action else key(source)
            if action == 1:
                container.pop(name, None)
            else:
                container[name] = value(source)
        elif action and container:
            container[source.upto(len(container) - 1)] = value(source)
        else:
            container.extend([value(source)] * (1 + 999 * (source.upto(300) == 300)))
    return dict(document)


def mutate_bytes(source: Source, body: bytes) -> bytes:
    """Return the bytes with up to six mutations: changed, duplicated, deleted, truncated or inserted ones."""
    data = bytearray(body)
    for _ in range(1 + source.upto(5)):
        index = source.upto(max(len(data) - 1, 0))
        match source.upto(4):
            case 0:
                data[index : index + 1] = bytes([source.upto(255)])
            case 1:
                data[index:index] = data[index : index + source.upto(30)]
            case 2:
                del data[index : index + source.upto(10)]
            case 3:
                del data[index:]
            case _:
                data[index:index] = source.text().encode("utf-8", "surrogatepass")
    return bytes(data)
