"""A template is validated before the first row is read, inserts values into texts, and can do nothing else."""

import traceback
from pathlib import Path
from typing import Any

import pytest

from routee_failover import InvalidFlow, InvalidSource, OtpFlow, SmsStep, StandardFlow, dump_flow
from routee_failover.bulk.sources import read_source
from routee_failover.bulk.templates.row import Correlation, Row
from routee_failover.bulk.templates.template import FlowTemplate

CANARY = "739164"


def otp(**changes: Any) -> dict[str, Any]:
    """Return a template of a one-time password by SMS."""
    step = {"type": "Sms", "order": 1, "to": "{phone}", "ttl": 60, "message": {"body": "Code {pin}"}}
    return {"endpoint": "otp", "flow": [{**step, **changes}]}


def sms(body: str = "Dear {name}", **changes: Any) -> dict[str, Any]:
    """Return a template of one SMS on the standard endpoint."""
    step = {"type": "Sms", "order": 1, "from": "Demo", "to": "{phone}", "message": {"body": body}}
    return {"endpoint": "standard", "flow": [{**step, **changes}]}


def rows_from(template: dict[str, Any], *rows: dict[str, Any], **settings: Any) -> list[Row]:
    """Return the rows that a template makes of mappings."""
    return [*FlowTemplate.from_mapping(template).rows(list(rows), **settings)]


def body_of(row: Row) -> str:
    """Return the text of a row's first SMS."""
    flow = row.build_flow(Correlation())
    assert isinstance(flow, StandardFlow | OtpFlow)
    body = dump_flow(flow)["flow"][0]["message"]["body"]
    assert isinstance(body, str)
    return body


def test_columns_are_replaced_in_any_text_and_double_braces_are_literal() -> None:
    """Each row's values replace the columns, and double braces are literal braces."""
    row = rows_from(sms("{name}: 100 % of {{x}} for {name}"), {"phone": "+306900000001", "name": "Ada"})[0]
    assert body_of(row) == "Ada: 100 % of {x} for Ada"
    assert (row.line, row.key, row.recipient) == (1, "+306900000001", "+306900000001")


def test_label_that_routee_fills_is_no_column() -> None:
    """`[~{name}]` is Routee's own placeholder: it is sent as it is, whether there is a column of that name or not."""
    row = rows_from(sms("Hi [~{name}], {name} [~{firstName}]"), {"phone": "+306900000001", "name": "Ada"})[0]
    assert body_of(row) == "Hi [~{name}], Ada [~{firstName}]"


@pytest.mark.parametrize("text", ["{name.__class__}", "{name[0]}", "{name!r}", "{name:>99999999}", "{0}"])
def test_format_expressions_are_only_column_names(text: str) -> None:
    """What `str.format` would evaluate is only the name of a column, which does not exist."""
    with pytest.raises(InvalidSource, match="uses the column"):
        FlowTemplate.from_mapping(sms(text)).check_columns(["name", "phone"])


@pytest.mark.parametrize("text", ["{", "}", "{}", "{ }", "a {name", "name}", "{{name}"])
def test_brace_without_a_column_is_refused(text: str) -> None:
    """A single brace is a mistake, and the error gives its path."""
    with pytest.raises(InvalidFlow, match=r"flow\[0\].message.body: has a [{}]+"):
        FlowTemplate.from_mapping(sms(text))


def test_missing_columns_are_named_with_a_suggestion() -> None:
    """Before anything is sent the missing columns are named, each with the most similar one."""
    with pytest.raises(InvalidSource, match=r"column name \(did you mean Name\?\).*has Name, phone"):
        FlowTemplate.from_mapping(sms()).check_columns(["Name", "phone"])


def test_single_column_is_converted_to_a_number_or_boolean() -> None:
    """`"ttl": "{ttl}"` gives the number in the column, and a flag its boolean."""
    template = sms(ttl="{ttl}")
    template["flow"][0]["message"]["flash"] = "{flash}"
    flow = rows_from(template, {"phone": "+306900000001", "name": "A", "ttl": "60", "flash": "TRUE"})[0].build_flow(
        Correlation()
    )
    assert isinstance(flow, StandardFlow)
    step = flow.steps[0]
    assert isinstance(step, SmsStep)
    assert (dump_flow(flow)["flow"][0]["ttl"], step.message.flash) == (60, True)


def test_invalid_value_is_reported_with_path_and_column() -> None:
    """An invalid value is reported with Routee's path and the column, and never quoted."""
    row = rows_from(sms(ttl="{ttl}"), {"phone": "+306900000001", "name": "A", "ttl": CANARY + "x"})[0]
    with pytest.raises(InvalidFlow, match=r"line 1: flow\[0\].ttl: .*\(column ttl\)") as caught:
        row.build_flow(Correlation())
    assert CANARY not in str(caught.value)


def test_repr_of_a_row_hides_its_code() -> None:
    """Neither a row, nor its flow factory, nor the flow shows the code."""
    row = rows_from(otp(), {"phone": "+306900000001", "pin": CANARY})[0]
    shown = f"{row!r} {row.build_flow!r} {row.build_flow(Correlation())!r}"
    assert CANARY not in shown
    assert "+306900000001" not in shown


def test_correlation_is_added_to_the_flow() -> None:
    """The run's label follows the template's own, and its URL is used if the template has none."""
    flow = rows_from(otp(label="spring"), {"phone": "+306900000001", "pin": "1234"})[0].build_flow(
        Correlation("RUN-1", "https://example.com/cb")
    )
    dumped = dump_flow(flow)
    assert dumped["flow"][0]["label"] == "spring RUN-1"
    assert dumped["callback"] == {"url": "https://example.com/cb"}


def test_json_and_toml_give_the_same_flow(tmp_path: Path) -> None:
    """The same template in either format is the same flow."""
    (tmp_path / "a.json").write_text(
        '{"endpoint": "otp", "flow": [{"type": "Sms", "order": 1, "to": "{phone}", "ttl": 60,'
        ' "message": {"body": "Code {pin}"}}]}'
    )
    (tmp_path / "a.toml").write_text(
        'endpoint = "otp"\n[[flow]]\ntype = "Sms"\norder = 1\nto = "{phone}"\nttl = 60\nmessage.body = "Code {pin}"\n'
    )
    values = {"phone": "+306900000001", "pin": "1234"}
    rows = [row for name in ("a.json", "a.toml") for row in FlowTemplate.read(tmp_path / name).rows([values])]
    made = [row.build_flow(Correlation()) for row in rows]
    assert made[0] == made[1]


def test_repeated_json_key_is_refused(tmp_path: Path) -> None:
    """A file with a repeated key is ambiguous."""
    (tmp_path / "a.json").write_text('{"endpoint": "otp", "endpoint": "standard", "flow": []}')
    with pytest.raises(InvalidSource, match="the key endpoint occurs twice"):
        FlowTemplate.read(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("name", "content", "error", "reason"),
    [
        ("a.toml", "endpoint = ", InvalidSource, "is not TOML"),
        ("a.toml", "a = " + "[" * 5000, InvalidSource, "nested too deeply|is not TOML"),
        ("a.json", "[]", InvalidSource, "must contain one JSON object"),
        ("a.json", "\xff", InvalidSource, "is not UTF-8"),
        ("a.json", "{}", InvalidFlow, "endpoint: required: standard, transactional, otp or viber-otp"),
        ("a.json", '{"endpoint": "sms"}', InvalidFlow, "endpoint: must be standard"),
        ("a.json", '{"endpoint": "otp", "flow": [{"type": "Sms"}]}', InvalidFlow, r"flow\[0\].to: required"),
    ],
)
def test_invalid_template_file_is_refused_with_the_reason(
    tmp_path: Path, name: str, content: str, error: type[Exception], reason: str
) -> None:
    """The problems of a template are reported before the first row, with their paths in Routee's names."""
    (tmp_path / name).write_bytes(content.encode("latin-1"))
    with pytest.raises(error, match=reason):
        FlowTemplate.read(tmp_path / name)


def test_self_referential_mapping_is_refused() -> None:
    """A mapping that contains itself is reported as nested too deeply."""
    template = sms()
    template["flow"].append(template["flow"])
    with pytest.raises(InvalidFlow, match="nested too deeply"):
        FlowTemplate.from_mapping(template)


def test_columns_in_type_order_and_keys_are_refused() -> None:
    """No column may be in a `type`, an `order` or a key, and all such places are reported at once."""
    template = sms(type="{type}", order="{order}")
    template["flow"][0]["{key}"] = 1
    with pytest.raises(InvalidFlow) as caught:
        FlowTemplate.from_mapping(template)
    assert {(problem.path, problem.reason) for problem in caught.value.problems} >= {
        (("flow", 0, "type"), "must be the same for every row"),
        (("flow", 0, "order"), "must be the same for every row"),
        (("flow", 0, "{key}"), "is a key, which cannot contain a column"),
    }


def test_label_too_long_for_the_label_of_the_run_is_refused() -> None:
    """A label that would be too long with the run's label is refused before the first row."""
    template = sms()
    template["flow"][0]["message"]["label"] = "x" * 321
    with pytest.raises(InvalidFlow, match=r"flow\[0\].message.label: must have at most 320 characters"):
        FlowTemplate.from_mapping(template)
    template["flow"][0]["message"]["label"] = "{name}"
    (row,) = rows_from(template, {"phone": "+306900000001", "name": "x" * 340})
    with pytest.raises(InvalidFlow, match=r"message.label: must have at most 350 characters, has 352 \(column name\)"):
        row.build_flow(Correlation("RUN-1234567"))


def test_own_callback_of_the_template_is_kept() -> None:
    """The run's URL is used only if the template has none; its strategy is kept, and without any URL it is left out."""
    values = {"phone": "+306900000001", "name": "Ada"}
    for callback, url, dumped in (
        ({"strategy": "OnStep"}, "https://run.example/", {"strategy": "OnStep", "url": "https://run.example/"}),
        ({"strategy": "OnStep"}, None, None),
        ({"url": "https://own.example/{name}"}, "https://run.example/", {"url": "https://own.example/Ada"}),
    ):
        first, second = rows_from({**sms(), "callback": callback}, values, values)
        for row in (first, second):
            assert dump_flow(row.build_flow(Correlation("RUN", url))).get("callback") == dumped


def test_key_column_sets_the_key_of_each_row() -> None:
    """The key column is the key, without surrounding blanks; a row without a key is reported."""
    template = FlowTemplate.from_mapping(sms())
    values = [{"phone": "+306900000001", "name": "A", "id": " 7 "}, {"phone": "+306900000001", "name": "A", "id": " "}]
    one, other = template.rows(values, key="id")
    assert (one.key, one.recipient, one.problems) == ("7", "+306900000001", ())
    assert [str(problem) for problem in other.problems] == ["has no key (column id)"]


def test_unusable_key_is_refused(tmp_path: Path) -> None:
    """A recipient that all rows share, a missing column and a column of codes are no keys."""
    (tmp_path / "rows.csv").write_text("phone,name,pin\n")
    source = read_source(tmp_path / "rows.csv")
    with pytest.raises(InvalidSource, match="is the same in every row: name the key column"):
        FlowTemplate.from_mapping(sms(to="+306900000001")).rows(source)
    with pytest.raises(InvalidSource, match=r"has no key column Phone; did you mean phone\?"):
        FlowTemplate.from_mapping(sms()).rows(source, key="Phone")
    with pytest.raises(InvalidSource, match="it holds codes"):
        FlowTemplate.from_mapping(otp()).rows(source, key="pin")
    with pytest.raises(InvalidSource, match=r"did you mean name\?"):
        FlowTemplate.from_mapping(sms("{nmae}")).rows(source)
    call = {"type": "Voice", "order": 1, "from": "Demo", "to": {"sip": "{name}@host"}, "dialPlan": {"verbs": []}}
    call["dialPlan"] = {"verbs": [{"type": "PLAY", "fileURL": "https://a.example/a.wav"}]}
    template = FlowTemplate.from_mapping({"endpoint": "standard", "flow": [call]})
    with pytest.raises(InvalidSource, match="is no phone number"):
        template.rows(source)
    (row,) = template.rows([{"name": "ada"}], key="name")
    assert (row.key, row.recipient) == ("ada", "")


def test_fixed_recipient_requires_a_key_column() -> None:
    """Many messages to one number are sent if a column distinguishes them."""
    template = FlowTemplate.from_mapping(otp(to="+306900000001", message={"body": "{text}"}))
    (row,) = template.rows([{"text": "1", "id": "a"}], key="id")
    assert (row.key, row.recipient) == ("a", "+306900000001")


def test_all_recipients_are_normalized_to_e164() -> None:
    """Each step's number is in E.164, whichever column it is from; in texts a column is unchanged."""
    template = sms("{phone}")
    template["flow"].append({**template["flow"][0], "order": 2, "to": "{other}", "message": {"body": "{other}"}})
    flow_template = FlowTemplate.from_mapping(template)
    good = {"phone": "690 000 0001", "other": "+30 6900000002"}
    for row in flow_template.rows([good, good], region="GR"):
        steps = dump_flow(row.build_flow(Correlation()))["flow"]
        assert [(step["to"], step["message"]["body"]) for step in steps] == [
            ("+306900000001", "690 000 0001"),
            ("+306900000002", "+30 6900000002"),
        ]
        assert row.recipient == "+306900000001"
    invalid, incomplete = flow_template.rows(
        [{"phone": "+306900000001", "other": "?"}, {"phone": "+306900000001"}], region="GR"
    )
    assert [str(problem) for problem in invalid.problems] == [
        "flow[1].to: has ? in it, which is no part of a phone number (column other)"
    ]
    assert [str(problem) for problem in incomplete.problems] == ["flow[1].to: the row has no number (column other)"]
    with pytest.raises(InvalidFlow, match=r"line 2: flow\[1\].to: the row has no number"):
        incomplete.build_flow(Correlation())


def test_secret_columns_are_recognized() -> None:
    """A column in a `pin`, one named like a code, and otherwise all columns of an OTP's text are secret."""
    assert FlowTemplate.from_mapping(otp()).secret_columns == {"pin"}
    assert FlowTemplate.from_mapping(otp(message={"body": "{phone} {a} {b}"})).secret_columns == {"a", "b"}
    assert FlowTemplate.from_mapping(sms("{otp_code} {name} {spinner}")).secret_columns == {"otp_code"}


def test_code_is_in_no_local_variable_of_a_traceback() -> None:
    """An error reporter that shows the locals of a traceback shows no code."""
    (row,) = rows_from(otp(ttl="{ttl}"), {"phone": "+306900000001", "pin": CANARY, "ttl": "soon"})
    with pytest.raises(InvalidFlow) as caught:
        row.build_flow(Correlation())
    assert caught.value.__context__ is None
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)][1:]
    assert frames
    assert CANARY not in repr([frame.f_locals for frame in frames])


def test_repr_of_a_template_has_its_endpoint_and_columns() -> None:
    """Its `repr` contains none of its texts."""
    assert repr(FlowTemplate.from_mapping(otp())) == "FlowTemplate(endpoint=otp, columns=['phone', 'pin'])"


def test_invalid_number_in_several_steps_is_one_problem() -> None:
    """Another column is a problem of its own."""
    template = sms("Hello")
    first = template["flow"][0]
    template["flow"] += [{**first, "order": 2, "to": "{phone}"}, {**first, "order": 3, "to": "{other}"}]
    template["flow"].append({**first, "order": 4, "to": "{other}"})
    flow_template = FlowTemplate.from_mapping(template)
    for values in ({"phone": "?", "other": "?"}, {}):
        (row,) = flow_template.rows([values])
        assert [problem.path for problem in row.problems] == [("flow", 0, "to"), ("flow", 2, "to")]
    (row,) = flow_template.rows([{"phone": "+306900000001", "other": "?"}])
    assert [problem.path for problem in row.problems] == [("flow", 2, "to")]


@pytest.mark.parametrize("kind", [[], {}, ["Sms"], {"{name}": 1}, 1, None])
def test_step_type_that_is_no_text_is_refused(kind: object) -> None:
    """A step whose type is a list, an object, a number or null is reported with its path, as any unknown type is."""
    with pytest.raises(InvalidFlow, match=r"flow\[0\]"):
        FlowTemplate.from_mapping(sms(type=kind))


@pytest.mark.parametrize("flow", ["{name}", ["{name}"], [sms()["flow"][0], "{name}"]])
@pytest.mark.parametrize("endpoint", ["standard", "transactional", "otp"])
def test_column_in_place_of_a_step_is_refused(flow: object, endpoint: str) -> None:
    """A row supplies texts, and no text is a step."""
    with pytest.raises(InvalidFlow, match=r"flow(\[[01]\])?: must be"):
        FlowTemplate.from_mapping({"endpoint": endpoint, "flow": flow})
