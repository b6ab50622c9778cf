"""`extra` carries undocumented keys, and nothing that would change a modelled field."""

from typing import Any

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import (
    Callback,
    DialPlan,
    Play,
    Say,
    SmsMessage,
    SmsStep,
    StandardFlow,
    TransactionalFlow,
    ViberOtpMessage,
    ViberOtpStep,
    ViberStep,
    VoiceRecipient,
    VoiceStep,
)

from .sample_requests import MINIMAL_ARGUMENTS, STANDARD, STEP_CLASSES, TRANSACTIONAL, Json, build, changed

EVERY_JSON: Json = {
    "xNull": None,
    "xTrue": True,
    "xNumber": -(2**63),
    "xReal": 0.1,
    "xText": "\u03ba\u03c9\U0001f600\x00",
    "xList": [1, [], {}],
    "xObject": {"": {"a.b": [None]}},
}


def _build(cls: type[Any], extra: object) -> Any:
    return (
        build(cls, extra=extra) if cls in MINIMAL_ARGUMENTS else cls(steps=[build(STEP_CLASSES[cls][0])], extra=extra)
    )


OPEN_CLASSES = [cls for cls in (*MINIMAL_ARGUMENTS, *STEP_CLASSES) if cls is not TransactionalFlow]


@pytest.mark.parametrize("cls", OPEN_CLASSES, ids=lambda cls: cls.__name__)
def test_every_other_model_accepts_extra(cls: type[Any]) -> None:
    """Each step, flow and message but the transactional flow accepts `extra` with anything that JSON can represent."""
    built = _build(cls, EVERY_JSON)
    assert built.extra == EVERY_JSON
    assert built == _build(cls, EVERY_JSON)
    assert built != _build(cls, {})


def test_transactional_flow_takes_only_flow_and_callback() -> None:
    """Routee's page says that its body has nothing else; the error names the flow that is sent as it is."""
    with pytest.raises(InvalidFlow, match=r"^TransactionalFlow: extra\.applicationId: .*a raw flow sends more"):
        TransactionalFlow(steps=[build(SmsStep)], extra={"applicationId": "x"})
    for option in ("refuse", "keep"):
        with pytest.raises(InvalidFlow, match=r"^transactional flow: restrictions: is not taken here"):
            load_flow("transactional", {**TRANSACTIONAL, "restrictions": {}}, extra=option)
    with pytest.raises(InvalidFlow, match=r"callbak: unknown key; did you mean callback\?"):
        load_flow("transactional", {**TRANSACTIONAL, "callbak": {}})
    assert TransactionalFlow(steps=[build(SmsStep, extra={"x": 1})]).steps[0].extra == {"x": 1}


def test_extra_is_merged_unchanged() -> None:
    """Extra keys are written beside the modelled ones, in the object that they were given to, and nowhere else."""
    say = build(Say, extra={"x": "say"})
    voice = build(VoiceStep, to=VoiceRecipient(phone="+6834000", extra={"x": "to"}), dial_plan=DialPlan(verbs=[say]))
    sms = build(SmsStep, message=SmsMessage(body="Hi", extra={"x": "message"}), extra=EVERY_JSON)
    callback = Callback(url="https://example.test/", extra={"x": "callback"})
    dumped = dump_flow(StandardFlow(steps=[sms, voice], callback=callback, extra={"restrictions": {"x": "flow"}}))
    assert dumped["restrictions"] == {"x": "flow"}
    assert dumped["callback"] == {"url": "https://example.test/", "x": "callback"}
    assert dumped["flow"][0] == {
        "type": "Sms",
        "order": 1,
        "from": "Demo",
        "to": "+306900000001",
        "message": {"body": "Hi", "x": "message"},
        **EVERY_JSON,
    }
    assert dumped["flow"][1]["to"] == {"phone": "+6834000", "x": "to"}
    assert dumped["flow"][1]["dialPlan"]["verbs"][0]["x"] == "say"


@pytest.mark.parametrize(
    ("cls", "key"),
    [
        (SmsStep, "from"),
        (SmsStep, "failoverOnStatuses"),
        (SmsStep, "type"),
        (SmsStep, "order"),
        (SmsMessage, "body"),
        (SmsMessage, "urlShortener"),
        (ViberStep, "label"),
        (ViberOtpStep, "businessName"),
        (ViberOtpMessage, "type"),
        (Say, "type"),
        (Play, "fileURL"),
        (Callback, "strategy"),
        *((cls, key) for cls in STEP_CLASSES for key in ("flow", "callback")),
    ],
)
def test_extra_with_a_modelled_key_is_invalid(cls: type[Any], key: str) -> None:
    """A key that is a field of its own is invalid in `extra`, whether the field was given or not."""
    with pytest.raises(InvalidFlow) as excinfo:
        _build(cls, {key: "x"} if cls is TransactionalFlow else {key: "x", "fine": 1})
    (problem,) = excinfo.value.problems
    assert problem.path == ("extra", key)
    assert "field of its own" in problem.reason


@pytest.mark.parametrize("key", ["from_", "extra", "steps", "order "])
def test_extra_with_a_python_name_is_sent(key: str) -> None:
    """Only Routee's own names are reserved; other names, however similar, are sent."""
    assert dump_flow(StandardFlow(steps=[build(SmsStep, extra={key: 1})]))["flow"][0][key] == 1


def test_verb_accepts_order_as_extra() -> None:
    """`order` is written on steps only, so a verb may have one as an extra."""
    assert build(Say, extra={"order": 1}).extra == {"order": 1}


DEEP: list[Any] = []
for _ in range(5000):
    DEEP = [DEEP]
CYCLE: Json = {}
CYCLE["x"] = CYCLE


@pytest.mark.parametrize(
    ("extra", "path", "reason"),
    [
        pytest.param({"a": float("nan")}, ("a",), "finite", id="NaN"),
        pytest.param({"a": [float("inf")]}, ("a", 0), "finite", id="infinity"),
        pytest.param({"a": b"x"}, ("a",), "a bytes, which JSON cannot represent", id="bytes"),
        pytest.param({"a": {"b": {1, 2}}}, ("a", "b"), "a set, which JSON cannot represent", id="set"),
        pytest.param({"a": object()}, ("a",), "JSON cannot represent", id="object"),
        pytest.param({"a": "\udc00"}, ("a",), "surrogate", id="surrogate"),
        pytest.param({"\udc00": 1}, (), "text for keys", id="surrogate key"),
        pytest.param({"a": {1: 2}}, ("a",), "text for keys", id="number as key"),
        pytest.param({None: 2}, (), "text for keys", id="None as key"),
        pytest.param({"a": DEEP}, ("a",), "nested more than 64 deep", id="5000 deep"),
        pytest.param(CYCLE, ("x",), "nested more than 64 deep", id="cycle"),
        pytest.param([("a", 1)], (), "must be a mapping, not a list", id="list"),
        pytest.param("a", (), "must be a mapping, not text", id="text"),
        pytest.param(None, (), "must be a mapping, not nothing", id="None"),
    ],
)
@pytest.mark.parametrize("cls", [SmsStep, SmsMessage, ViberOtpMessage, StandardFlow], ids=lambda cls: cls.__name__)
def test_extra_that_is_not_json_is_invalid(
    cls: type[Any], extra: Any, path: tuple[str | int, ...], reason: str
) -> None:
    """What JSON cannot represent is invalid in `extra`, with its path, already when the object is built."""
    with pytest.raises(InvalidFlow) as excinfo:
        _build(cls, extra)
    problem = excinfo.value.problems[0]
    assert problem.path[: 1 + len(path)] == ("extra", *path)
    assert reason in problem.reason


def test_extra_nested_64_deep_is_accepted() -> None:
    """A value that is nested 64 deep is accepted; no message needs that."""
    value: Any = 1
    for _ in range(63):
        value = [value]
    assert build(SmsStep, extra={"a": value}).extra == {"a": value}


def test_changing_the_given_extra_does_not_change_the_step() -> None:
    """A flow copies its `extra`: later changes by the caller do not affect it."""
    inner = [1]
    given = {"x": {"y": inner}}
    step = build(SmsStep, extra=given)
    inner.append(2)
    given["z"] = {}
    assert step.extra == {"x": {"y": [1]}}


def test_changing_the_dumped_mapping_does_not_change_the_flow() -> None:
    """Adding a key to the result of `dump_flow` does not affect the flow."""
    flow = StandardFlow(steps=[build(SmsStep, extra={"x": 1})])
    dump_flow(flow)["flow"][0]["y"] = 1
    assert "y" not in dump_flow(flow)["flow"][0]


@pytest.mark.parametrize(
    "path", [(), ("flow", 0), ("flow", 0, "message"), ("flow", 1, "message", "urlShortener"), ("callback",)]
)
def test_unknown_key_is_sent_with_extra_keep(path: tuple[str | int, ...]) -> None:
    """With `extra="keep"` undocumented keys are sent unchanged, at any path."""
    sample = changed(STANDARD, (*path, "xNew"), {"a": [None]})
    assert dump_flow(load_flow("standard", sample, extra="keep")) == sample
    with pytest.raises(InvalidFlow, match="xNew: unknown key"):
        load_flow("standard", sample)
