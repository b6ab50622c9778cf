"""Sample files, and the rows that a source or a template reads from them."""

from pathlib import Path
from typing import Any

import pytest

from routee_failover import StandardFlow
from routee_failover.bulk.sources import Source, Unreadable, read_source
from routee_failover.bulk.templates.row import Correlation, Row
from routee_failover.bulk.templates.template import FlowTemplate

ADA, BOB, CID, DORA = (f"+3069000000{index}" for index in (11, 12, 13, 14))


def write_file(path: Path, content: bytes | str) -> Path:
    """Write a file, and return its path."""
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_rows(source: Source) -> list[tuple[int, Any]]:
    """Return each row of a source by its line: its values, or the reason why it cannot be read."""
    return [(line, row.reason if isinstance(row, Unreadable) else dict(row)) for line, row in source]


def read_csv_rows(folder: Path, content: bytes | str) -> list[tuple[int, Any]]:
    """Return the rows of a CSV file with this content."""
    return read_rows(read_source(write_file(folder / "people.csv", content)))


def sms_template(body: str = "Dear {name}", to: str = "{phone}") -> FlowTemplate:
    """Return a template with one SMS step."""
    step = {"type": "Sms", "order": 1, "from": "Demo", "to": to, "message": {"body": body}}
    return FlowTemplate.from_mapping({"endpoint": "standard", "flow": [step]})


def sms_text(row: Row) -> str:
    """Return the text of a row's SMS, or its problems."""
    if row.problems:
        return "; ".join(map(str, row.problems))
    flow = row.build_flow(Correlation())
    assert isinstance(flow, StandardFlow)
    message = flow.steps[0].message  # type: ignore[union-attr]
    return str(message.body)  # type: ignore[union-attr]


def write_parquet(path: Path, columns: dict[str, Any], **settings: Any) -> Path:
    """Write a Parquet file with these columns, and return its path."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table(columns), path, **settings)
    return path
