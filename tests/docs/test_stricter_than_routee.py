"""The page of checks that go further than Routee's pages is complete, and each check on it exists."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover._wire.flow_document import read_json_object
from routee_failover.bulk import FlowTemplate
from routee_failover.errors import InvalidFlow, InvalidSource
from routee_failover.flows import OtpFlow, ViberOtpStep

from ..contract.mutations import FOREIGN, VALUES, json_paths
from ..contract.test_agreement import contract_problems
from ..flows.sample_requests import OTP, PHONE, SAMPLES, STANDARD, VIBER_OTP, Json, JsonPath, at, build, changed
from .test_python_blocks import ROOT

PAGE = ROOT / "docs/stricter-than-routee.md"
VIBER, SMS, VOICE = ("flow", 0), ("flow", 1), ("flow", 2)
VERBS = (*VOICE, "dialPlan", "verbs")


def _checks() -> dict[str, str]:
    """Return what the first table names as checks, each with the way around it."""
    table = PAGE.read_text(encoding="utf-8").partition("|---|---|---|---|\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]
    assert all(len(row) == 4 for row in rows)
    return {row[0]: row[3] for row in rows}


REQUESTS: dict[str, list[tuple[str, Json]]] = {
    "`to`, `phone`, `viber`": [
        ("otp", changed(OTP, (*SMS, "to"), "306900000001")),
        ("standard", changed(STANDARD, (*VOICE, "to", "phone"), "306900000001")),
        ("standard", changed(STANDARD, (*VOICE, "to", "viber"), "306900000001")),
        ("viber-otp", {**VIBER_OTP, "to": "+30691"}),
    ],
    "`phone` of a call": [("standard", changed(STANDARD, (*VOICE, "to", "phone"), " "))],
    "`to` of a `ViberOtp` step": [("otp", changed(OTP, (*VIBER, "to"), [PHONE, "+306900000002"]))],
    "`from` of an SMS": [
        ("standard", changed(STANDARD, (*SMS, "from"), "\u2115\u2192")),
        ("otp", changed(OTP, (*SMS, "from"), " ")),
    ],
    "`fileURL` of a call, `targetUrl` of a button": [
        ("standard", changed(STANDARD, (*VERBS, 1, "fileURL"), "hi.wav")),
        ("standard", changed(STANDARD, (*VIBER, "message", "action", "targetUrl"), "https://:80/")),
    ],
    "`order`, `seq`, `repeat`, `codeValidityTime`": [
        ("otp", changed(OTP, (*SMS, "order"), 1e300)),
        ("viber-otp", {**VIBER_OTP, "seq": 1e300}),
        ("standard", changed(STANDARD, (*VERBS, 0, "repeat"), 1e300)),
        ("viber-otp", changed(VIBER_OTP, ("templateParams", "codeValidityTime"), 1e40)),
    ],
    "`seq`": [("viber-otp", {**VIBER_OTP, "seq": 10**100})],
    "`ttl` of a one-time password": [("otp", changed(OTP, (*SMS, "ttl"), 10**50))],
    "unknown key": [("standard", {**STANDARD, "xNew": 1})],
    "slip on a `ViberOtp` step": [("otp", changed(OTP, (*VIBER, "templateid"), "x"))],
    "validity of an OTP template": [
        ("otp", changed(changed(OTP, (*VIBER, "templateType"), "with_validity"), (*VIBER, "someSwitch"), True))
    ],
    "nesting": [("standard", {**STANDARD, "xNew": json.loads("[" * 80 + "]" * 80)})],
}
"""For each check on the page, requests that the contract accepts and the client refuses."""


def _refused_file(tmp_path: Path) -> None:
    path = tmp_path / "flow.json"
    path.write_text('{"endpoint": "otp", "endpoint": "otp"}', encoding="utf-8")
    read_json_object(str(path), "flow.json")


def _long_label(_: Path) -> None:
    sms = {**STANDARD["flow"][1], "to": "{phone}", "message": {"body": "Hi", "label": "x" * 350}}
    FlowTemplate.from_mapping({"endpoint": "standard", "flow": [sms]})


CALLS: dict[str, Callable[[Path], object]] = {
    "`fileType`": lambda _: load_flow(
        "standard", changed(STANDARD, (*VIBER, "message", "viberFile", "fileType"), "application/pdf")
    ),
    "`template_fields`": lambda _: build(ViberOtpStep, template_fields={"someNumber": 5}),
    "required text": lambda _: load_flow("standard", changed(STANDARD, (*SMS, "message", "body"), "")),
    "`message` of a Viber step, `url` of a callback": lambda _: load_flow("standard", {**STANDARD, "callback": {}}),
    "`extra`": lambda _: build(ViberOtpStep, extra={"pin": "847291"}),
    "flow file": _refused_file,
    "label in a bulk run": _long_label,
}
"""For each other check on the page, a call that is refused."""


def test_page_lists_each_check_once_and_has_a_way_around_it() -> None:
    """Each check that is tested here is on the page, and each one on the page is tested here."""
    checks = _checks()
    assert {*checks} == {*REQUESTS, *CALLS}
    assert all(checks.values())


@pytest.mark.parametrize(
    ("endpoint", "request_"),
    [pytest.param(endpoint, request, id=check) for check, cases in REQUESTS.items() for endpoint, request in cases],
)
def test_check_on_the_page_refuses_what_the_contract_accepts(endpoint: str, request_: Json) -> None:
    """Each check is stricter than the contract, which is written from Routee's pages."""
    assert contract_problems(endpoint, request_) == []
    with pytest.raises(InvalidFlow):
        load_flow(endpoint, request_)


@pytest.mark.parametrize("check", CALLS)
def test_other_check_on_the_page_refuses(check: str, tmp_path: Path) -> None:
    """The checks of constructors, files and templates exist, too."""
    with pytest.raises((InvalidFlow, InvalidSource)):
        CALLS[check](tmp_path)


def _placed(sample: Json, path: JsonPath) -> Iterator[Json]:
    """Yield the request with each hostile value at a path, and with each foreign key beside it."""
    for value in VALUES:
        yield changed(sample, path, value)
    parent = at(sample, path[:-1])
    for key, value in FOREIGN.items() if isinstance(parent, dict) else ():
        if key not in parent:
            yield changed(sample, (*path[:-1], key), value)


@pytest.mark.parametrize("endpoint", SAMPLES)
def test_every_value_that_only_the_client_refuses_is_of_a_check_on_the_page(endpoint: str) -> None:
    """Wherever the client refuses a value that the contract accepts, the page names the key."""
    named = {part for check in _checks() for part in check.split("`")[1::2]}
    unnamed: dict[str, set[str]] = {}
    for path in json_paths(SAMPLES[endpoint]):
        for request in _placed(SAMPLES[endpoint], path):
            if contract_problems(endpoint, request):
                continue
            for problem in _problems(endpoint, request):
                keys = [part for part in problem.path if isinstance(part, str)]
                if keys[-1] not in named:
                    unnamed.setdefault(keys[-1], set()).add(problem.reason)
    assert unnamed == {}


def _problems(endpoint: str, request: Any) -> Iterator[Any]:
    try:
        load_flow(endpoint, request)
    except InvalidFlow as error:
        yield from (problem for problem in error.problems if not problem.reason.startswith("unknown key"))


def test_ways_around_a_slip_and_an_unknown_key_work() -> None:
    """`extra="keep"`, `extra` and `template_fields` send what is refused without them."""
    slip = changed(OTP, (*VIBER, "templateid"), "x")
    assert dump_flow(load_flow("otp", slip, extra="keep")) == slip
    step = build(ViberOtpStep, template_fields={"templateid": "x"}, extra={"someNumber": 5})
    (sent,) = dump_flow(OtpFlow(steps=[step]))["flow"]
    assert (sent["templateid"], sent["someNumber"]) == ("x", 5)
