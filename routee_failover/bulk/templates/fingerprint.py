"""What a message's content is known again by, without keeping any of it.

A message that may have been accepted may only be sent again with the same PIN and text. The ledger keeps a digest for
that, made with a key out of the application's secret: a digest without a key would give away a PIN of six digits to
whoever tries a million of them.
"""

import hashlib

from ..._wire import dump_flow
from ..._wire.json import encode
from ...flows import AnyFlow
from ...secret import Secret

_PURPOSE = b"routee-failover content 1"


class Fingerprinter:
    """Makes fingerprints for one run."""

    def __init__(self, secret: Secret, run_id: str) -> None:
        whole = secret.reveal().encode("utf-8", "surrogatepass")
        self._key: bytes = hashlib.blake2b(_PURPOSE + run_id.encode() + whole, digest_size=32).digest()

    def __repr__(self) -> str:
        return "Fingerprints()"

    def fingerprint(self, flow: AnyFlow) -> bytes:
        """The same for the same content, wherever it is called back: those addresses change by the second."""
        mapping = dump_flow(flow)
        mapping.pop("callback", None)
        return hashlib.blake2b(encode(mapping), digest_size=12, key=self._key).digest()
