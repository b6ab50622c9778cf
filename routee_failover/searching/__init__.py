"""Finding flows again: questions that can work, answered page by page while Routee's lists change under the reader."""

from .filters import Filter, FilterField, SearchOperator
from .flows import FlowSearch
from .otps import OtpSearch
from .search import Search

__all__ = ["Filter", "FilterField", "FlowSearch", "OtpSearch", "Search", "SearchOperator"]
