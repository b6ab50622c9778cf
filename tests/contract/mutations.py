"""Mutations of valid requests: missing or foreign keys, other types, exceeded limits, repeated orders, wrong words."""

import copy
from typing import Any

from hypothesis import strategies as st

JsonPath = tuple[str | int, ...]

FOREIGN: dict[str, Any] = {
    "templateId": "bbbbbbbb-0000-4000-8000-000000000002",
    "templateLang": "en",
    "templateParams": {"pin": "847291"},
    "templateType": "with_validity",
    "businessName": "Demo",
    "message": {"text": "Hi", "body": "Hi"},
    "label": "demo",
    "pin": "847291",
    "ttl": 60,
    "seq": 1,
    "type": "Sms",
    "order": 1,
    "from": "Demo",
    "strategy": "OnStep",
    "eventUrl": "https://example.test/",
    "flow": [],
    "callback": {"url": "https://example.test/"},
    "failoverOnStatuses": ["Failed"],
    "expireOnDelivery": True,
    "xNew": {"deep": [None]},
}
"""Keys of other locations and endpoints, and one that no page documents."""

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 3, 0.4, 0.55, 1.5, 1440, 1440.1, 1441, 3599, 2592001, 10**50, -(10**50), 1e300),
    *("", " ", "x", "847", "8472918472x", "x" * 26, "x" * 31, "x" * 51, "x" * 351, "x" * 1001, "\n", "www.x", "κ"),
    *("306900000001", "+306900000001", "+1234567890123456", "+0", "0aac888f-2ee2-4112-9659-1755a951966a"),
    *("http://example.test/", "ftp://example.test/", "https://", "https://e x", "https://example.test/" + "a" * 980),
    *(
        "Failed",
        "expired",
        "Busy",
        "Completed",
        "OnChange",
        "OnStep",
        "Hangup",
        "SAY",
        "DIAL",
        "Viber",
        "ViberOtp",
        "EN",
    ),
    *(
        "with_reason",
        "with_validity",
        "with_everything",
        "PRIMARY_ONLY",
        "PRIMARY_DEVICE",
        "transactional",
        "zu",
        "exe",
    ),
    *(
        [],
        [None],
        ["Failed"],
        ["Nonsense"],
        [[]],
        {},
        {"x": 1},
        {"body": "Hi"},
        {"phone": "+12"},
        {"url": "x"},
        {"pin": 5},
    ),
)
"""Values for any location: each documented limit is just exceeded by one of them."""


def json_paths(node: Any, path: JsonPath = ()) -> list[JsonPath]:
    """Return the path of every value in a request."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [found for key, value in items for found in [(*path, key), *json_paths(value, (*path, key))]]


def _value_at(mapping: Any, path: JsonPath) -> Any:
    for key in path:
        mapping = mapping[key]
    return mapping


@st.composite
def mutated(draw: st.DrawFn, request: dict[str, Any]) -> Any:
    """Draw the request with one to three changes, each of which may make it invalid."""
    mapping = copy.deepcopy(request)
    for _ in range(draw(st.integers(1, 3))):
        found = json_paths(mapping)
        if not found:
            break
        path = draw(st.sampled_from(found))
        parent = _value_at(mapping, path[:-1])
        match draw(st.sampled_from(["drop", "put", "put", "put", "foreign", "repeat", "swap"])):
            case "drop":
                del parent[path[-1]]
            case "put":
                parent[path[-1]] = copy.deepcopy(draw(st.sampled_from(VALUES)))
            case "foreign" if isinstance(parent, dict):
                key = draw(st.sampled_from(sorted(FOREIGN)))
                parent[key] = copy.deepcopy(FOREIGN[key])
            case "repeat" if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[int(path[-1])]))
            case "swap":
                parent[path[-1]] = copy.deepcopy(_value_at(mapping, draw(st.sampled_from(found))))
    return mapping
