"""What a run was begun with, as its ledger keeps it: so that `resume` needs the ledger alone, and nothing is mixed up.

It holds paths, names and numbers. It never holds a secret: keys and credentials come from the environment each time.
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
"""Its name in the ledger."""
LAST_RUN_KEY = "last"
"""The name of what the last run has left there: what its source knows and the ledger does not."""
_FORM = 1
_NO_OTHER_LEDGER = "With another --ledger everyone who has a message already would get a second one"
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@attrs.frozen(kw_only=True)
class RunOptions:
    """How a run is driven. What is not given stays as it was, or is left to the library."""

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
    """0 is no limit."""

    def merged_over(self, previous: "RunOptions") -> "RunOptions":
        """These, and where one is not given, the former one. A suppression list is added: none is ever forgotten.

        One that is not where it was may be given from another folder, under the same name.
        """
        given = {name: value for name, value in attrs.asdict(self).items() if value is not None}
        names = {Path(path).name for path in self.suppress}
        kept = (path for path in previous.suppress if Path(path).name not in names or os.path.lexists(path))
        given["suppress"] = tuple(dict.fromkeys((*kept, *self.suppress)))
        return attrs.evolve(previous, **given)


@attrs.frozen(kw_only=True)
class RunConfig:
    """What is sent, to whom, through which account, and how it is driven."""

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
    sources: tuple[str, ...] = ()
    """Digests of the lists that were sent with this ledger, by which a list is known again elsewhere."""

    def to_document(self) -> dict[str, Any]:
        """As JSON."""
        values = attrs.asdict(self, value_serializer=lambda _owner, _field, value: _plain(value))
        return {"form": _FORM, **values}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The plan in a document. Raises `LedgerError` for what is none."""
        try:
            if document["form"] != _FORM:
                raise LedgerError("this run was begun by another version of routee-failover; use that one")
            options = dict(document["options"])
            for name in ("deadline", "reconcile_after"):
                options[name] = None if options[name] is None else timedelta(seconds=options[name])
            options["suppress"] = tuple(options.get("suppress", ()))
            options["unknown"] = None if options["unknown"] is None else UnknownPolicy(options["unknown"])
            values: dict[str, Any] = {name: Path(document[name]) for name in ("recipients", "flow", "invalid_rows")}
            for name in ("format", "digest", "endpoint", "key", "region", "service", "account"):
                values[name] = document[name]
            return cls(**values, options=RunOptions(**options), sources=tuple(document.get("sources", ())))
        except (KeyError, TypeError, ValueError):
            raise LedgerError("what this ledger says about its run cannot be read; nothing was sent") from None

    def continued_from(self, previous: "RunConfig") -> "RunConfig":
        """The plan that goes on with a former one in its ledger. Raises `InvalidSource` where they do not agree.

        The list of recipients may be another: who got the message already is known by key. All else that decides what
        a recipient gets, or whether it is the same one, must be as it was.
        """
        for name, was, now in (
            ("--flow", previous.flow.name, self.flow.name),
            ("--key", previous.key, self.key),
            ("--region", previous.region, self.region),
        ):
            same = previous.digest == self.digest if name == "--flow" else now in {None, was}
            if not same:
                raise InvalidSource(_other(name, was, now))
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
        """The plan with the digest of the list that is sent now."""
        return attrs.evolve(self, sources=tuple(dict.fromkeys((*self.sources, digest))))

    def ensure_same_account(self, service: str, account: str) -> None:
        """Raise `InvalidSource` where the account is another now: it would not know the messages of this one."""
        if (service, account) != (self.service, self.account):
            where = "to another Routee" if service != self.service else "with another application"
            was = f" ({self.service})" if service != self.service else ""
            raise InvalidSource(
                f"this run was sent {where}{was}, which alone knows what became of it; nothing was sent. "
                f"Set the ROUTEE_ variables as they were. {_NO_OTHER_LEDGER}"
            )


def _other(name: str, was: str | None, now: str | None) -> str:
    if name == "--flow":
        changed = "has changed since" if was == now else f"is not the one ({printable(was)}) that it was begun with"
        return (
            f"this ledger holds a run already, and {printable(now)} {changed}: some would get one text and some another; "
            f"nothing was sent. Put it back as it was. {_NO_OTHER_LEDGER}"
        )
    began = f"with {name} {printable(was)}" if was is not None else f"without {name}"
    return (
        f"this ledger holds a run already that was begun {began}: with another, who got the message would not be "
        f"known again; nothing was sent. Leave it as it was. {_NO_OTHER_LEDGER}"
    )


def _plain(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return str(value) if isinstance(value, Path | UnknownPolicy) else value


def file_digest(path: Path) -> str:
    """What a file is known again by. Raises `InvalidSource` for what cannot be read, or only once."""
    if is_stream(path):
        raise InvalidSource(
            f"{printable(path)} is a pipe or a device, and a run reads its flow again: save it to a file first; "
            "nothing was sent"
        )
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InvalidSource(f"{printable(path)} cannot be read: {error.strerror}; nothing was sent") from None


def service_name(config: Config) -> str:
    """The Routee that a client speaks to. All of this machine are one: a sandbox may come back at another port."""
    parts = urlsplit(config.api_url)
    return "this machine" if parts.hostname in _LOOPBACK else f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def account_digest(config: Config) -> str:
    """What the application is known again by, without its id."""
    return hashlib.sha256(f"routee-failover run\0{config.application_id}".encode()).hexdigest()[:16]
