"""Drawings of a report in SVG, each as wide as the page: places are in hundredths, letters keep their size.

They hold no colours, only classes; report.css has the colours of both schemes.
"""

from .costs import costs_chart
from .durations import durations_chart
from .failover import failover_chart
from .funnel import funnel_chart
from .rate import rate_chart

__all__ = ["costs_chart", "durations_chart", "failover_chart", "funnel_chart", "rate_chart"]
