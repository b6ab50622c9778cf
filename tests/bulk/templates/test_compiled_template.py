"""The fast path to a row's flow gives the same result as the slow path, for every endpoint and every value."""

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routee_failover import AnyFlow, InvalidFlow, Problem
from routee_failover.bulk.templates import row_factory as row_factory_module
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
CORRELATIONS = (
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
    "slow path": {"endpoint": "standard", "flow": [{**VIBER, "failoverOnStatuses": ["{status}"]}]},
}


def flow_or_problems(row: Row, correlation: Correlation) -> AnyFlow | tuple[Problem, ...]:
    """Return a row's flow, or its problems."""
    try:
        return row.build_flow(correlation)
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
@given(values=_values, correlation=st.sampled_from(CORRELATIONS))
def test_fast_and_slow_path_give_the_same_flow_or_problems(
    name: str, values: dict[str, str], correlation: Correlation
) -> None:
    """Whatever a row contains, it gives the same flow, or the same problems, as if it were the first one."""
    template = FlowTemplate.from_mapping(TEMPLATES[name])
    first, row = template.rows([{**GOOD, "status": "Expired"}, values])
    first.build_flow(correlation)
    (alone,) = template.rows([values])
    assert flow_or_problems(row, correlation) == flow_or_problems(alone, correlation)


@pytest.mark.parametrize("name", TEMPLATES)
def test_fast_path_is_used_after_the_first_row(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the first row no JSON is read, unless a column is in a list of texts."""
    first, second = FlowTemplate.from_mapping(TEMPLATES[name]).rows([{**GOOD, "status": "Expired"}] * 2)
    flow = first.build_flow(Correlation())

    def fail(*_: object) -> AnyFlow:
        raise AssertionError("the slow path was used")

    monkeypatch.setattr(row_factory_module, "load_flow", fail)
    if name in {"slow path", "nested"}:
        with pytest.raises(AssertionError, match="the slow path"):
            second.build_flow(Correlation())
    else:
        assert second.build_flow(Correlation()) == flow


def test_parts_without_columns_are_shared_between_flows() -> None:
    """Parts without a column are built once."""
    rows = [*FlowTemplate.from_mapping(TEMPLATES["standard"]).rows([GOOD] * 3)]
    flows = [row.build_flow(Correlation("RUN-1")) for row in rows]
    _, second, third = (flow.steps[2].dial_plan.verbs[0] for flow in cast("list[Any]", flows))
    assert second is third


def test_uncompilable_field_raises_cannot_compile() -> None:
    """`compile_flow` refuses it, and the slow path is used."""
    (row,) = FlowTemplate.from_mapping(TEMPLATES["slow path"]).rows([{**GOOD, "status": "Expired"}])
    template = FlowTemplate.from_mapping(TEMPLATES["slow path"])
    spec = template._spec
    with pytest.raises(CannotCompile):
        compile_flow(cast("Any", row.build_flow(Correlation())), spec.fields, spec.flow, None)
