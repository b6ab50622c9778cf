"""SVG charts of the report, each as wide as the page: positions are in percent, and texts keep their size.

They contain no colours, only CSS classes; report.css has the colours of both colour schemes.
"""

from .costs import costs_chart
from .failover import failover_chart
from .funnel import funnel_chart
from .rate import rate_chart
from .response_times import response_times_chart

__all__ = ["costs_chart", "failover_chart", "funnel_chart", "rate_chart", "response_times_chart"]
