"""Drawings of a report in SVG, each as wide as the page: places are in hundredths, letters keep their size.

They hold no colours, only classes; report.css has the colours of both schemes.
"""

from .costs import costs_chart
from .durations import durations_chart
from .funnel import funnel_chart
from .journeys import journeys_chart
from .rate import rate_chart

__all__ = ["costs_chart", "durations_chart", "funnel_chart", "journeys_chart", "rate_chart"]
