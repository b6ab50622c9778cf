"""Rows that cannot be sent stand in a file of lines and reasons, once each, and no value of theirs does."""

import stat
from pathlib import Path

import pytest

from routee_failover import InvalidFlow, InvalidSource, LedgerError, Problem
from routee_failover.bulk.invalid_rows import InvalidRowsFile
from routee_failover.bulk.sources import read_source
from routee_failover.bulk.templates.row import Correlation
from routee_failover.bulk.templates.template import FlowTemplate

from .templates.test_compiled_template import TEMPLATES

CODE = "739164"

BAD = (Problem(("flow", 0, "to"), "must not be empty (column phone)"), Problem((), "has no key"))


def test_the_file_is_made_with_the_first_refused_row(tmp_path: Path) -> None:
    """A run without bad rows leaves no file behind."""
    path = tmp_path / "refused.csv"
    with InvalidRowsFile(path) as refused:
        assert not path.exists()
        refused(7, "+306900000001", BAD)
        assert path.read_text() == ('line,reason\n7,"flow[0].to: must not be empty (column phone); has no key"\n')
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert refused.rows_written == 1


def test_a_line_is_listed_once_however_often_the_source_is_read(tmp_path: Path) -> None:
    """A later pass adds what is new and repeats nothing, also after the file was closed in between."""
    path = tmp_path / "refused.csv"
    refused = InvalidRowsFile(path)
    for lines in ((2, 5, 5), (2, 5, 9)):
        with refused:
            for line in lines:
                refused(line, "", BAD)
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["line", "2", "5", "9"]
    assert refused.rows_written == 3


def test_a_run_lists_anew(tmp_path: Path) -> None:
    """What was mended since the last run stands in the list no more, and where all was, there is none."""
    path = tmp_path / "refused.csv"
    for lines in ((2, 5), (5,)):
        with InvalidRowsFile(path) as refused:
            for line in lines:
                refused(line, "", BAD)
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["line", "5"]
    again = InvalidRowsFile(path)
    assert path.exists()
    again.start_run()
    assert not path.exists()
    again.start_run()
    again(7, "", BAD)
    again.start_run()
    again.close()
    assert path.read_text().startswith("line,reason\n7,")


@pytest.mark.parametrize("content", [b"phone,pin\n+306900000001,1234\n", b"\xff\xfe\x00"])
def test_a_file_of_another_kind_is_not_touched(tmp_path: Path, content: bytes) -> None:
    """Naming the recipients by mistake costs nothing."""
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidSource, match="is no list of refused rows"):
        InvalidRowsFile(path)
    assert path.read_bytes() == content


def test_a_place_that_cannot_hold_it_is_told_before_the_run(tmp_path: Path) -> None:
    """A folder that is not there, or a folder in its place, ends the run before its first row."""
    for path in (tmp_path / "none" / "refused.csv", tmp_path):
        with pytest.raises(InvalidSource, match="nothing was sent"):
            InvalidRowsFile(path)


def test_no_code_and_no_number_is_in_the_list(tmp_path: Path) -> None:
    """Whatever is wrong with a row, the list says what and not with which value."""
    template = FlowTemplate.from_mapping(TEMPLATES["otp"])
    good = {"phone": "+306900000001", "pin": CODE, "ttl": "60"}
    path = tmp_path / "refused.csv"
    source = tmp_path / "rows.csv"
    broken = [
        {**good, "pin": CODE * 2},
        {**good, "ttl": CODE + "x"},
        {**good, "phone": CODE},
        {**good, "phone": f"+{CODE}"},
    ]
    lines = [",".join(row.values()) for row in [good, *broken]]
    source.write_text("\n".join(["phone,pin,ttl", *lines, CODE, f'{CODE},"{CODE}', f'{CODE},"{CODE}"{CODE}']))
    told: list[str] = []
    with InvalidRowsFile(path) as refused:
        for row in template.rows(read_source(source)):
            try:
                row.build_flow(Correlation())
            except InvalidFlow as error:
                refused(row.line, row.recipient, error.problems)
                told.append(f"{error} {error!r} {row!r} {row.build_flow!r}")
    assert CODE not in "".join(told)
    text = path.read_text()
    assert [line.split(",")[0] for line in text.splitlines()] == ["line", *"3456789"]
    assert CODE not in text
    assert "00000001" not in text


def test_a_full_disk_stops_the_run(tmp_path: Path) -> None:
    """Where a row can be listed no more, nothing more is sent."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    path = tmp_path / "refused.csv"
    refused = InvalidRowsFile(path)
    path.symlink_to(full)
    with pytest.raises(LedgerError, match="No space left on device"):
        refused(1, "", BAD)
