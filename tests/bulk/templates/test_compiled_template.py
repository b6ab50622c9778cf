"""The short way to a row's flow gives what the long way by the JSON gives, for every endpoint and every value."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import AnyFlow, InvalidFlow, Problem
from routee_failover.bulk.templates import row_factory as rows_module
from routee_failover.bulk.templates.compiled_template import CannotCompile, compile_flow
from routee_failover.bulk.templates.row import Correlation, Row
from routee_failover.bulk.templates.template import FlowTemplate

SENDER = "aaaaaaaa-0000-4000-8000-000000000001"
GOOD = {
    "phone": "+306900000001",
    "pin": "1234",
    "name": "Ada",
    "ttl": "60",
    "flag": "true",
    "url": "https://a.example/",
}
STAMPS = (
    Correlation(),
    Correlation("RUN-1", "https://example.com/run"),
    Correlation("RUN-2"),
    Correlation(None, "https://example.com/other"),
)

SMS = {
    "type": "Sms",
    "order": 2,
    "from": "Demo",
    "to": "{phone}",
    "ttl": "{ttl}",
    "message": {"body": "Dear {name}: {{x}}", "flash": "{flag}", "label": "{name}"},
}
VIBER = {
    "type": "Viber",
    "order": 1,
    "senderInfoTrackingId": SENDER,
    "to": "{phone}",
    "ttl": 2.5,
    "message": {"text": "Dear {name}", "action": {"caption": "Open", "targetUrl": "{url}"}, "imageUrl": "{url}"},
}
TEMPLATE = {
    "type": "Viber",
    "order": 1,
    "senderInfoTrackingId": SENDER,
    "to": "{phone}",
    "templateId": SENDER,
    "templateLang": "en",
    "seq": "{ttl}",
    "templateParams": {"customer": "{name}", "fixed": "x", "ttl": "{ttl}"},
}
VOICE = {
    "type": "Voice",
    "order": 3,
    "from": "Demo",
    "to": {"phone": "{phone}"},
    "dialPlan": {
        "verbs": [
            {"type": "PLAY", "fileURL": "https://a.example/a.wav"},
            {"type": "SAY", "repeat": 1, "message": {"text": "Dear {name}", "language": "en-US"}},
        ]
    },
}
VIBER_OTP = {
    "type": "ViberOtp",
    "order": 1,
    "to": ["{phone}"],
    "ttl": "{ttl}",
    "senderInfoTrackingId": SENDER,
    "templateId": SENDER,
    "templateType": "with_validity",
    "validity": "{ttl} minutes",
    "pin": "{pin}",
    "label": "own",
}
OTP_SMS = {"type": "Sms", "order": 2, "to": "{phone}", "ttl": 60, "message": {"body": "Code {pin}", "label": "kept"}}
MESSAGE = {
    "senderInfoTrackingId": SENDER,
    "to": "{phone}",
    "ttl": "{ttl}",
    "templateParams": {"pin": "{pin}", "codeValidityTime": "{ttl}"},
    "label": "transactional",
}
TEMPLATES: dict[str, dict[str, Any]] = {
    "standard": {"endpoint": "standard", "flow": [SMS, VIBER, VOICE]},
    "strategy": {"endpoint": "standard", "flow": [VIBER], "callback": {"strategy": "OnStep"}},
    "callback": {"endpoint": "standard", "flow": [VIBER], "callback": {"strategy": "OnStep", "url": "{url}{name}"}},
    "unordered": {"endpoint": "standard", "flow": [{**SMS, "order": 1}, {**VOICE, "order": 2, "to": "{phone}"}]},
    "transactional": {"endpoint": "transactional", "flow": [SMS, TEMPLATE]},
    "otp": {"endpoint": "otp", "flow": [OTP_SMS, VIBER_OTP]},
    "viber-otp": {"endpoint": "viber-otp", **MESSAGE},
    "nested": {"endpoint": "transactional", "flow": [{**TEMPLATE, "templateParams": {"a": {"b": "{name}"}}}]},
    "long way": {"endpoint": "standard", "flow": [{**VIBER, "failoverOnStatuses": ["{status}"]}]},
}


def made(row: Row, stamp: Correlation) -> AnyFlow | tuple[Problem, ...]:
    """A row's flow, or why there is none."""
    try:
        return row.build_flow(stamp)
    except InvalidFlow as error:
        return error.problems


_values = st.fixed_dictionaries(
    {
        "phone": st.sampled_from(["+306900000001", "+30 690 000 0002", "nobody", ""]),
        "pin": st.sampled_from(["1234", "ÄÖÜß", "123", "12345678901"]),
        "name": st.sampled_from(["Ada", "", "{pin}", "%s", "x" * 345, "x" * 1001, "\ud800"]),
        "ttl": st.sampled_from(["60", "1", "2.5", "-1", "", "1e3", "60 ", "true", "9" * 40]),
        "flag": st.sampled_from(["true", "FALSE", "yes", ""]),
        "url": st.sampled_from(["https://a.example/", "http://a.example/?b=%20", "ftp://a", ""]),
    },
    optional={"status": st.sampled_from(["Expired", "failed", "Delivered"])},
)


@pytest.mark.parametrize("name", TEMPLATES)
@given(values=_values, stamp=st.sampled_from(STAMPS))
def test_both_ways_give_the_same(name: str, values: dict[str, str], stamp: Correlation) -> None:
    """Whatever stands in a row, it is the same flow, or the same problems, as if it were the first one."""
    template = FlowTemplate.from_mapping(TEMPLATES[name])
    first, row = template.rows([{**GOOD, "status": "Expired"}, values])
    first.build_flow(stamp)
    (alone,) = template.rows([values])
    assert made(row, stamp) == made(alone, stamp)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_short_way_is_taken_where_it_leads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first row no JSON is read, but where a column stands in a list of words."""
    first, second = FlowTemplate.from_mapping(TEMPLATES[name]).rows([{**GOOD, "status": "Expired"}] * 2)
    flow = first.build_flow(Correlation())

    def no_more(*_: object) -> AnyFlow:
        raise AssertionError("the long way was taken")

    monkeypatch.setattr(rows_module, "load_flow", no_more)
    if name in {"long way", "nested"}:
        with pytest.raises(AssertionError, match="the long way"):
            second.build_flow(Correlation())
    else:
        assert second.build_flow(Correlation()) == flow


def test_what_is_the_same_in_every_row_is_one_object() -> None:
    """Parts without a column are built once."""
    rows = [*FlowTemplate.from_mapping(TEMPLATES["standard"]).rows([GOOD] * 3)]
    flows = [row.build_flow(Correlation("RUN-1")) for row in rows]
    _, second, third = (flow.steps[2].dial_plan.verbs[0] for flow in cast("list[Any]", flows))
    assert second is third


def test_a_place_that_the_short_way_does_not_know_is_no_error() -> None:
    """It says so itself, for the long way to be taken."""
    (row,) = FlowTemplate.from_mapping(TEMPLATES["long way"]).rows([{**GOOD, "status": "Expired"}])
    template = FlowTemplate.from_mapping(TEMPLATES["long way"])
    recipe = template._spec
    with pytest.raises(CannotCompile):
        compile_flow(row.build_flow(Correlation()), recipe.fields, recipe.flow, None)
