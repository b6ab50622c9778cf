"""Raw templates: a template with `"raw": true`, whose rows are sent as they are, without label and callback URL.

Columns are filled as in other templates, but recipients are not: they are inserted as the source has them.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from ..._phone_number_parser import InvalidPhoneNumber
from ...errors import InvalidFlow, Problem
from ...flows import AnyFlow, Endpoint, RawFlow
from .compiled_template import Builder, CannotCompile
from .field_roles import FieldPath, FieldRole, iter_texts
from .raw_recipients import NO_SINGLE_RECIPIENT, RECIPIENT_KEY, recipients_in, single_number, to_raw_e164
from .row import Correlation
from .row_factory import RowFactory, TemplateSpec
from .template_fields import TemplateField


def iter_raw_texts(endpoint: Endpoint, mapping: Mapping[str, Any]) -> Iterator[tuple[FieldPath, str, FieldRole]]:
    """Yield every text of a raw flow with its path and role.

    Roles are those of the endpoint's own shape, as far as the flow has it. Whatever is under `to` is a recipient, a
    `pin` is a code, and nothing has to be the same for every row.
    """
    for path, text, role in iter_texts(endpoint, mapping):
        if RECIPIENT_KEY in path:
            yield path, text, FieldRole.RECIPIENT
        elif path[-1] == "pin":
            yield path, text, FieldRole.PIN
        else:
            yield path, text, FieldRole.TEXT if role in {FieldRole.FIXED, FieldRole.RECIPIENT} else role


class RawTemplateSpec(TemplateSpec):
    """Specification of the rows of a raw template."""

    no_single_recipient = NO_SINGLE_RECIPIENT

    @property
    def recipient(self) -> TemplateField | str:
        """The field or number that everything under `to` is, empty if that is not one and the same text."""
        fields = [field for field in self.fields if field.role is FieldRole.RECIPIENT]
        recipients = [*recipients_in(self.flow)]
        if not fields:
            return single_number(recipients, self.region)
        patterns = {(field.columns, field.text.literals) for field in fields}
        return fields[0] if len(patterns) == 1 and len(recipients) == len(fields) else ""

    def row_factory(self) -> RowFactory:
        """Return the factory of its rows."""
        return _RawRowFactory(self)

    def compile(self, values: Mapping[str, str]) -> Builder:  # noqa: ARG002  # the parts of a raw flow are not modelled
        """Raise `CannotCompile`: only the slow path builds a raw flow."""
        raise CannotCompile

    def _render(self, field: TemplateField, values: Mapping[str, str]) -> Any:
        return field.text.render(values) if field.role is FieldRole.RECIPIENT else super()._render(field, values)

    def _make_flow(self, flow: dict[str, Any], correlation: Correlation) -> AnyFlow:  # noqa: ARG002  # nothing is added
        return RawFlow(self.endpoint, flow)


class _RawRowFactory(RowFactory):
    """Row factory of a raw template: a recipient that is no phone number is a problem only if it has to be the key."""

    def _find_recipient(self, values: Mapping[str, str], problems: list[Problem]) -> str:
        field, spec = self._recipient_field, self._spec
        if field is None:
            return self._fixed_recipient
        try:
            return to_raw_e164(field.text.render(values), spec.region)
        except InvalidPhoneNumber as error:
            if spec.key_column is None:
                problems.append(self._recipient_problem(field, str(error)))
        except KeyError:
            problems.append(self._recipient_problem(field, "the row has no number"))
        return ""

    def _find_key(self, recipient: str, values: Mapping[str, str], problems: list[Problem]) -> str:
        if self._key_is_recipient and not recipient and self._spec.key_column is not None:
            return self._parse_key(self._spec.key_column, values, problems)
        return super()._find_key(recipient, values, problems)


def raw_problems(endpoint: Endpoint, flow: Mapping[str, Any]) -> list[Problem]:
    """Return why no row of a raw template can be sent."""
    try:
        RawFlow(endpoint, flow)
    except InvalidFlow as error:
        return list(error.problems)
    return []
