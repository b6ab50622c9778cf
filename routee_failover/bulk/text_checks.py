"""Content checks of the dry run: placeholders, empty columns and code lengths in the texts of rows that can be sent."""

from collections.abc import Callable

from ..flows import AnyFlow, OtpSmsStep, RawFlow, SmsStep, ViberOtpMessage, ViberStep
from .display_text import sanitize
from .flow_masking import text_masker
from .templates.dry_run_findings import FindingKind, Findings
from .templates.row import Row
from .templates.row_factory import RowFlowFactory
from .templates.unfilled_placeholders import find_foreign_placeholders, may_hold_placeholder


def check_texts(row: Row, flow: AnyFlow, findings: Findings) -> None:
    """Add a finding for each warning about the texts of a row that can be sent."""
    build_flow = row.build_flow
    if not isinstance(build_flow, RowFlowFactory):
        for text in _texts(flow):
            if may_hold_placeholder(text):
                for placeholder in set(find_foreign_placeholders(text)):
                    findings.add(
                        FindingKind.PLACEHOLDER, sanitize(placeholder), row.line, _masked_text(row, flow, text)
                    )
        return
    linter, values = build_flow.linter_and_values()
    for kind, subject, text_of in linter.lint_row(values):
        findings.add(kind, sanitize(subject), row.line, _masked_text(row, flow, text_of(values)))
    for column, is_code, text_of in linter.code_columns:
        cell = values.get(column)
        if cell and (is_code or cell.isdecimal()) and not findings.count_known_length(column, len(cell)):
            findings.count_new_length(column, len(cell), row.line, _masked_text(row, flow, text_of(values))())


def sms_text(step: SmsStep | OtpSmsStep) -> str:
    """Return the text of an SMS, which is a secret in a one-time password."""
    return step.message.body.reveal() if isinstance(step, OtpSmsStep) else step.message.body


def _texts(flow: AnyFlow) -> list[str]:
    texts: list[str] = []
    for step in () if isinstance(flow, ViberOtpMessage | RawFlow) else flow.steps:
        if isinstance(step, SmsStep | OtpSmsStep):
            texts.append(sms_text(step))
        elif isinstance(step, ViberStep) and step.message.text is not None:
            texts.append(step.message.text)
    return texts


def _masked_text(row: Row, flow: AnyFlow, text: str) -> Callable[[], str]:
    return lambda: sanitize(text_masker(row, flow)(text, "body"))
