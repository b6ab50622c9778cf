"""Finding flows again: questions that can work, answered page by page while Routee's lists change under the reader."""

from .base import Search
from .filters import Filter, FilterField, SearchOperator
from .flow_search import FlowSearch
from .otp_search import OtpSearch

__all__ = ["Filter", "FilterField", "FlowSearch", "OtpSearch", "Search", "SearchOperator"]
