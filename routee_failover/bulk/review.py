"""Review of the rows of a dry run: what their texts say is looked at, and counted with an example that may be shown."""

from collections.abc import Callable

from ..flows import AnyFlow, OtpSmsStep, SmsStep, ViberOtpMessage, ViberStep
from .findings import FindingKind, Findings
from .foreign_placeholders import has_marks, of_other_tools
from .plain import plain
from .row import Row
from .rows import TemplateFlow
from .sample import veil


def look(row: Row, flow: AnyFlow, findings: Findings) -> None:
    """Count what may be wrong in the texts of a row that can be sent."""
    make = row.make
    if not isinstance(make, TemplateFlow):
        for text in _texts(flow):
            if has_marks(text):
                for placeholder in set(of_other_tools(text)):
                    findings.add(FindingKind.PLACEHOLDER, plain(placeholder), row.line, _shown(row, flow, text))
        return
    inspection, values = make.inspected()
    for kind, subject, text_of in inspection.look(values):
        findings.add(kind, plain(subject), row.line, _shown(row, flow, text_of(values)))
    for column, is_code, text_of in inspection.codes:
        cell = values.get(column)
        if cell and (is_code or cell.isdecimal()) and not findings.has_length(column, len(cell)):
            findings.add_length(column, len(cell), row.line, _shown(row, flow, text_of(values))())


def _texts(flow: AnyFlow) -> list[str]:
    texts: list[str] = []
    for step in () if isinstance(flow, ViberOtpMessage) else flow.steps:
        if isinstance(step, SmsStep | OtpSmsStep):
            texts.append(step.message.body)
        elif isinstance(step, ViberStep) and step.message.text is not None:
            texts.append(step.message.text)
    return texts


def _shown(row: Row, flow: AnyFlow, text: str) -> Callable[[], str]:
    return lambda: plain(veil(row, flow)(text, "body"))
