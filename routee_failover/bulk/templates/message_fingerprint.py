"""Keyed digest of a message's content, by which a resend is recognized as the same without storing the content.

A message that may have been accepted may only be resent with the same PIN and text. The ledger keeps a digest for that,
keyed with the application secret: an unkeyed digest would reveal a six-digit PIN to anyone who tries a million of them.
"""

import hashlib

from ..._wire import dump_flow
from ..._wire.json_codec import encode
from ...flows import AnyFlow
from ...secret import Secret

_PURPOSE = b"routee-failover content 1"


class Fingerprinter:
    """Computes the fingerprints of one run."""

    def __init__(self, secret: Secret, run_id: str) -> None:
        secret_bytes = secret.reveal().encode("utf-8", "surrogatepass")
        key = hashlib.blake2b(_PURPOSE + run_id.encode() + secret_bytes, digest_size=32).digest()
        self._keyed = hashlib.blake2b(digest_size=12, key=key)  # copied for each flow, which is cheaper than the key

    def __repr__(self) -> str:
        return "Fingerprinter()"

    def fingerprint(self, flow: AnyFlow) -> bytes:
        """Return the fingerprint of a flow, without its callback: signed callback URLs change every second."""
        mapping = dump_flow(flow)
        mapping.pop("callback", None)
        digest = self._keyed.copy()
        digest.update(encode(mapping))
        return digest.digest()
