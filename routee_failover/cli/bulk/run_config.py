"""Configuration of a run, stored in its ledger: `resume` needs the ledger alone, and nothing is mixed up.

It holds paths, names and numbers, never a secret: keys and credentials come from the environment each time.
"""

import hashlib
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import attrs

from ...bulk.reconciliation import UnknownPolicy
from ...bulk.sources.formats import is_stream
from ...config import Config
from ...errors import InvalidSource, LedgerError
from ..terminal import printable

RUN_CONFIG_KEY = "run"
"""Name of its document in the ledger."""
LAST_RUN_KEY = "last"
"""Name of the last run's document: what its source knows and the ledger does not."""
_FORMAT_VERSION = 1
_NO_OTHER_LEDGER = "With another --ledger everyone who already has a message would get a second one"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@attrs.frozen(kw_only=True)
class RunOptions:
    """Options of a run. An option that is not given keeps its earlier value, or the library's default."""

    rate: float | None = None
    concurrency: int | None = None
    hours: str | None = None
    deadline: timedelta | None = None
    unknown: UnknownPolicy | None = None
    reconcile_after: timedelta | None = None
    callbacks: str | None = None
    listen: str | None = None
    suppress: tuple[str, ...] = ()
    """Suppression lists."""
    max_messages: int | None = None
    """0 for no limit."""

    def merged_over(self, previous: "RunOptions") -> "RunOptions":
        """Return these options, with the previous ones where not given. Suppression lists add up: none is ever dropped.

        A list that does not exist any more may be given from another folder, under the same name.
        """
        given = {name: value for name, value in attrs.asdict(self).items() if value is not None}
        names = {Path(path).name for path in self.suppress}
        kept = (path for path in previous.suppress if Path(path).name not in names or os.path.lexists(path))
        given["suppress"] = tuple(dict.fromkeys((*kept, *self.suppress)))
        return attrs.evolve(previous, **given)


@attrs.frozen(kw_only=True)
class RunConfig:
    """What is sent, to whom, through which account, and with which options."""

    recipients: Path
    format: str | None
    flow: Path
    digest: str
    endpoint: str
    key: str | None
    region: str | None
    invalid_rows: Path
    service: str
    account: str
    options: RunOptions = RunOptions()
    raw: bool = False
    """Whether its messages are raw flows."""
    sources: tuple[str, ...] = ()
    """Digests of all lists that were sent with this ledger, which identify a list elsewhere."""

    def to_document(self) -> dict[str, Any]:
        """Return the config as JSON."""
        values = attrs.asdict(self, value_serializer=lambda _owner, _field, value: _plain(value))
        return {"version": _FORMAT_VERSION, **values}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Return the config in a document. Raises `LedgerError` if it is invalid."""
        try:
            if document["version"] != _FORMAT_VERSION:
                raise LedgerError("this run was started by another version of routee-failover; use that version")
            options = dict(document["options"])
            for name in ("deadline", "reconcile_after"):
                options[name] = None if options[name] is None else timedelta(seconds=options[name])
            options["suppress"] = tuple(options.get("suppress", ()))
            options["unknown"] = None if options["unknown"] is None else UnknownPolicy(options["unknown"])
            values: dict[str, Any] = {name: Path(document[name]) for name in ("recipients", "flow", "invalid_rows")}
            for name in ("format", "digest", "endpoint", "key", "region", "service", "account"):
                values[name] = document[name]
            values |= {"raw": document.get("raw", False), "sources": tuple(document.get("sources", ()))}
            return cls(**values, options=RunOptions(**options))
        except (KeyError, TypeError, ValueError):
            raise LedgerError("the run config in this ledger cannot be read; nothing was sent") from None

    def continued_from(self, previous: "RunConfig") -> "RunConfig":
        """Return the config that continues a previous run. Raises `InvalidSource` if they do not agree.

        The list of recipients may change: who got the message is identified by key. Everything else that decides what a
        recipient gets, or who the recipient is, must be unchanged.
        """
        for option, old, new in (
            ("--flow", previous.flow.name, self.flow.name),
            ("--key", previous.key, self.key),
            ("--region", previous.region, self.region),
        ):
            same = previous.digest == self.digest if option == "--flow" else new in {None, old}
            if not same:
                raise InvalidSource(_change_text(option, old, new))
        previous.ensure_same_account(self.service, self.account)
        return attrs.evolve(
            self,
            key=previous.key,
            region=previous.region,
            format=self.format or previous.format,
            options=self.options.merged_over(previous.options),
            sources=previous.sources,
        )

    def with_source(self, digest: str) -> "RunConfig":
        """Return the config with the digest of the list that is sent now."""
        return attrs.evolve(self, sources=tuple(dict.fromkeys((*self.sources, digest))))

    def ensure_same_account(self, service: str, account: str) -> None:
        """Raise `InvalidSource` if the account has changed: the new one would not know the messages of this run."""
        if (service, account) != (self.service, self.account):
            difference = "to another Routee" if service != self.service else "with another application"
            old_service = f" ({self.service})" if service != self.service else ""
            raise InvalidSource(
                f"this run was sent {difference}{old_service}, and only that one knows its messages; nothing was sent. "
                f"Restore the ROUTEE_ variables. {_NO_OTHER_LEDGER}"
            )


def _change_text(option: str, old: str | None, new: str | None) -> str:
    if option == "--flow":
        change = "has changed since" if old == new else f"is not the flow ({printable(old)}) that it was started with"
        return (
            f"this ledger already has a run, and {printable(new)} {change}: some people would get one text and some "
            f"another; nothing was sent. Restore the flow. {_NO_OTHER_LEDGER}"
        )
    started = f"with {option} {printable(old)}" if old is not None else f"without {option}"
    return (
        f"this ledger already has a run, started {started}: with another value, people who got the message would not "
        f"be recognized; nothing was sent. Use the same options. {_NO_OTHER_LEDGER}"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, Path | UnknownPolicy) else value


def file_digest(path: Path) -> str:
    """Return the digest of a file. Raises `InvalidSource` if it cannot be read, or not twice."""
    if is_stream(path):
        raise InvalidSource(
            f"{printable(path)} is a pipe or a device, and a run reads its flow more than once: save it to a file "
            "first; nothing was sent"
        )
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidSource(f"{printable(path)} cannot be read: {error.strerror}; nothing was sent") from None


def service_name(config: Config) -> str:
    """Return which Routee the client uses. Every port of this machine is the same: a sandbox may restart on another."""
    parts = urlsplit(config.api_url)
    return "this machine" if parts.hostname in _LOOPBACK else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def account_digest(config: Config) -> str:
    """Return the digest that identifies the application, without its id."""
    return hashlib.sha256(f"routee-failover run\0{config.application_id}".encode()).hexdigest()[:16]
