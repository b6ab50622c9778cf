"""JSON to and from flows and records: one cattrs converter, Routee's names, and problems in one line each."""

from .dump import dump_flow, encode_flow
from .load import load_flow

__all__ = ["dump_flow", "encode_flow", "load_flow"]
