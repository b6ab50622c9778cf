"""Sequence of a flow's steps in JSON: by `order`.

On the standard and the transactional endpoint the sort is stable, because Routee's own example repeats an order, and a
step without one counts by its position. The failover OTP requires orders that differ.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from ..flows.validators import as_integer


def step_sequence(steps: Sequence[Any]) -> list[int]:
    """Return the indexes of valid steps in the sequence in which they are tried."""
    orders = [_order_of(step) for step in steps]
    return sorted(range(len(orders)), key=lambda index: index + 1 if orders[index] is None else orders[index])


def order_problem(steps: Sequence[Any], index: int, *, distinct: bool) -> str | None:
    """Return why the `order` of a step is invalid, or `None`; with `distinct`, each step needs one of its own."""
    order = _order_of(steps[index])
    if order is None:
        return "required: the position of the step in the flow, 1 for the first" if distinct else None
    if not isinstance(order, int) or isinstance(order, bool) or order < 1:
        return "must be a whole number of at least 1"
    if not distinct:
        return None
    earlier = [_order_of(step) for step in steps[:index]]
    duplicate = next((index for index, other in enumerate(earlier) if other is not True and other == order), None)
    return None if duplicate is None else f"must be unique: flow[{duplicate}] has it too"


def _order_of(step: object) -> Any:
    return as_integer(cast("Mapping[str, Any]", step).get("order")) if isinstance(step, Mapping) else None
