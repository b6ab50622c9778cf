"""Search for flows: validated queries, and pagination that tolerates lists that change while they are read."""

from .base import Search
from .filters import Filter, FilterField, SearchOperator
from .flow_search import FlowSearch
from .otp_search import OtpSearch

__all__ = ["Filter", "FilterField", "FlowSearch", "OtpSearch", "Search", "SearchOperator"]
