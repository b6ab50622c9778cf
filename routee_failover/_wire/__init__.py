"""Serialization: flows to and from Routee's JSON, responses to records and errors; each problem is one line."""

from .dump import dump_flow, encode_flow
from .load import load_flow

__all__ = ["dump_flow", "encode_flow", "load_flow"]
