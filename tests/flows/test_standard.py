"""Standard flow, `POST /failover`: each documented rule at its limit and just past it."""

import pytest

from routee_failover._wire import dump_flow, load_flow
from routee_failover.errors import InvalidFlow
from routee_failover.flows import (
    StandardFlow,
    ViberAction,
    ViberFile,
    ViberFileType,
    ViberMessage,
    ViberStep,
    ViberVideo,
)

from .rule_tables import (
    Bad,
    Rule,
    minutes,
    problems_of,
)
from .sample_requests import PHONE, SENDER, STANDARD, TEXT_1000, URL_1000, Json, at, build, changed
from .shared_rules import (
    BOOLEANS,
    LABELS,
    NON_EMPTY_TEXTS,
    NOT_BOOLEANS,
    NOT_LABELS,
    NOT_NON_EMPTY_TEXTS,
    NOT_NUMBERS,
    NOT_VIBER_MINUTES,
    NOT_WEB_URLS,
    NUMBERS,
    VIBER_MINUTES,
    WEB_URLS,
    callback_rules,
    failover_statuses_rule,
    sms_rules,
    voice_rules,
)

STEP = ("flow", 0)
MESSAGE = (*STEP, "message")
FILE, VIDEO, ACTION = (*MESSAGE, "viberFile"), (*MESSAGE, "viberVideo"), (*MESSAGE, "action")
HTTPS_URLS = ("https://example.test/i.png", "HTTPS://example.test", URL_1000)
NOT_HTTPS_URLS = (
    Bad(URL_1000 + "a", "at most 1000 characters, has 1001"),
    Bad("http://example.test/i.png", "must be https"),
    Bad("example.test/i.png", "must be a URL"),
    Bad("https:///i.png", "must name a host"),
    Bad("https://example.test/a b.png", "must be a URL"),
)
FILE_TYPES = "doc docx rtf dot dotx odt odf fodt txt info pdf xps pdax eps xls xlsx ods fods csv xlsm xltx"

RULES = [
    Rule(ViberStep, STEP, "sender_info_tracking_id", "senderInfoTrackingId", NON_EMPTY_TEXTS, NOT_NON_EMPTY_TEXTS),
    Rule(ViberStep, STEP, "to", "to", NUMBERS, NOT_NUMBERS),
    Rule(ViberStep, STEP, "ttl", "ttl", VIBER_MINUTES, NOT_VIBER_MINUTES, minutes),
    Rule(ViberStep, STEP, "expire_on_delivery", "expireOnDelivery", BOOLEANS, NOT_BOOLEANS),
    Rule(ViberStep, STEP, "inbound_url", "inboundUrl", WEB_URLS, NOT_WEB_URLS),
    Rule(ViberStep, STEP, "label", "label", LABELS, NOT_LABELS),
    failover_statuses_rule(ViberStep, STEP, "Expired", "Failed", "Undelivered", foreign="Busy"),
    Rule(
        ViberMessage,
        MESSAGE,
        "text",
        "text",
        ("", TEXT_1000, "\U0001f600" * 1000),
        (Bad(TEXT_1000 + "x", "at most 1000 characters, has 1001"), Bad(7, "must be text")),
    ),
    Rule(ViberMessage, MESSAGE, "image_url", "imageUrl", HTTPS_URLS, NOT_HTTPS_URLS),
    Rule(
        ViberAction,
        ACTION,
        "caption",
        "caption",
        ("x", "x" * 30),
        (Bad("", "must not be empty"), Bad("x" * 31, "at most 30 characters, has 31")),
    ),
    Rule(
        ViberAction,
        ACTION,
        "target_url",
        "targetUrl",
        ("http://example.test", "viber://public?id=1", URL_1000),
        (
            Bad(URL_1000 + "a", "at most 1000 characters, has 1001"),
            Bad("open", "must be a URL"),
            Bad("https://", "must name a host"),
            Bad("http:///x", "must name a host"),
        ),
    ),
    Rule(
        ViberFile,
        FILE,
        "file_name",
        "fileName",
        ("a.pdf", "x" * 25),
        (Bad("x" * 26, "at most 25 characters, has 26"), Bad(7, "must be text")),
    ),
    Rule(
        ViberFile,
        FILE,
        "file_type",
        "fileType",
        (*FILE_TYPES.split(), "pages", "7z", "tar.gz", "Key"),
        (
            Bad("application/pdf", "not a MIME type"),
            Bad(".pdf", "without its dot"),
            Bad("", "an extension such as pdf"),
            Bad("a b", "an extension such as pdf"),
            Bad(7, "must be text"),
        ),
    ),
    Rule(ViberFile, FILE, "file_url", "fileUrl", HTTPS_URLS, NOT_HTTPS_URLS),
    Rule(ViberVideo, VIDEO, "video_url", "videoUrl", HTTPS_URLS, NOT_HTTPS_URLS),
    Rule(ViberVideo, VIDEO, "video_thumbnail", "videoThumbnail", HTTPS_URLS, NOT_HTTPS_URLS),
    Rule(
        ViberVideo,
        VIDEO,
        "file_size",
        "fileSize",
        (0.001, 1, 200, 200.0),
        (Bad(0, "over 0 and at most 200"), Bad(200.001, "over 0 and at most 200"), Bad("1", "must be a number")),
    ),
    Rule(
        ViberVideo,
        VIDEO,
        "duration",
        "duration",
        (0.001, 1, 600, 600.0),
        (Bad(0, "over 0 and at most 600"), Bad(600.001, "over 0 and at most 600"), Bad(True, "must be a number")),
    ),
    *sms_rules(("flow", 1)),
    *voice_rules(("flow", 2)),
    *callback_rules(),
]


TEXT, IMAGE = {"text": "Hi"}, {"imageUrl": "https://example.test/i.png"}
BUTTON = {"action": {"caption": "Open", "targetUrl": "https://example.test/"}}
FILE_CONTENT, VIDEO_CONTENT = STANDARD["flow"][0]["message"]["viberFile"], STANDARD["flow"][0]["message"]["viberVideo"]


@pytest.mark.parametrize(
    "message",
    [
        pytest.param({}, id="empty"),
        pytest.param({**TEXT, **IMAGE}, id="text and image without a button"),
        pytest.param({**IMAGE, **BUTTON}, id="image and button"),
        pytest.param({"viberVideo": VIDEO_CONTENT, **BUTTON}, id="video and button"),
        pytest.param({"viberFile": FILE_CONTENT, **TEXT}, id="file and text"),
        pytest.param({"action": {}}, id="empty button"),
        pytest.param({"viberFile": {}}, id="empty file"),
    ],
)
def test_any_combination_of_contents_is_accepted(message: Json) -> None:
    """Which contents may be combined is only inferred for this endpoint, so every combination is accepted."""
    sample = changed(STANDARD, MESSAGE, message)
    assert dump_flow(load_flow("standard", sample)) == sample


@pytest.mark.parametrize("key", ["templateId", "templateLang", "templateParams", "deliveryScope", "seq"])
@pytest.mark.parametrize("extra", ["refuse", "keep"])
def test_template_key_is_invalid_on_a_standard_flow(key: str, extra: str) -> None:
    """Template keys on a Viber step are a documented 400 here; the error names the flow that accepts them."""
    (problem,) = problems_of("standard", changed(STANDARD, (*STEP, key), "x"), extra=extra)
    assert problem.startswith(f"flow[0].{key}: ")
    assert "TransactionalFlow" in problem
    with pytest.raises(InvalidFlow, match=rf"extra\.{key}: .*TransactionalFlow"):
        build(ViberStep, extra={key: "x"})


def test_flow_built_from_keywords_is_dumped_as_documented() -> None:
    """A flow built from keywords is the JSON that Routee documents, with positions as `order` and no other keys."""
    flow = StandardFlow(steps=[build(ViberStep), build(ViberStep, ttl=minutes(0.5))])
    viber = {"type": "Viber", "senderInfoTrackingId": SENDER, "to": PHONE, "message": {"text": "Hi"}}
    assert dump_flow(flow) == {"flow": [{**viber, "order": 1}, {**viber, "order": 2, "ttl": 0.5}]}


@pytest.mark.parametrize("written", ["PDF", "Pdf", "pdf", ViberFileType.PDF])
def test_documented_file_type_may_be_in_any_letter_case(written: str) -> None:
    """A file type on Routee's list is sent as it is spelled there, however it is written."""
    assert [*ViberFileType] == FILE_TYPES.split()
    file = build(ViberFile, file_type=written)
    assert (file.file_type, type(file.file_type)) == ("pdf", str)
    sent = dump_flow(load_flow("standard", changed(STANDARD, (*FILE, "fileType"), written)))
    assert at(sent, (*FILE, "fileType")) == "pdf"
