"""Rows that cannot be sent are listed in a file of lines and reasons, once each, without any of their values."""

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

PROBLEMS = (Problem(("flow", 0, "to"), "must not be empty (column phone)"), Problem((), "has no key"))


def test_file_is_created_with_the_first_invalid_row(tmp_path: Path) -> None:
    """A run without invalid rows leaves no file behind."""
    path = tmp_path / "invalid.csv"
    with InvalidRowsFile(path) as invalid_rows:
        assert not path.exists()
        invalid_rows(7, "+306900000001", PROBLEMS)
        assert path.read_text() == ('line,reason\n7,"flow[0].to: must not be empty (column phone); has no key"\n')
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert invalid_rows.rows_written == 1


def test_line_is_listed_once_over_several_passes(tmp_path: Path) -> None:
    """A later pass adds new rows and repeats none, also after the file was closed in between."""
    path = tmp_path / "invalid.csv"
    invalid_rows = InvalidRowsFile(path)
    for lines in ((2, 5, 5), (2, 5, 9)):
        with invalid_rows:
            for line in lines:
                invalid_rows(line, "", PROBLEMS)
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["line", "2", "5", "9"]
    assert invalid_rows.rows_written == 3


def test_each_run_starts_a_new_list(tmp_path: Path) -> None:
    """A row that was corrected since the last run is no longer listed, and without invalid rows the file is removed."""
    path = tmp_path / "invalid.csv"
    for lines in ((2, 5), (5,)):
        with InvalidRowsFile(path) as invalid_rows:
            for line in lines:
                invalid_rows(line, "", PROBLEMS)
    assert [line.split(",")[0] for line in path.read_text().splitlines()] == ["line", "5"]
    next_run = InvalidRowsFile(path)
    assert path.exists()
    next_run.start_run()
    assert not path.exists()
    next_run.start_run()
    next_run(7, "", PROBLEMS)
    next_run.start_run()
    next_run.close()
    assert path.read_text().startswith("line,reason\n7,")


@pytest.mark.parametrize("content", [b"phone,pin\n+306900000001,1234\n", b"\xff\xfe\x00"])
def test_existing_file_of_another_kind_is_not_overwritten(tmp_path: Path, content: bytes) -> None:
    """Naming the recipients' file by mistake leaves it unchanged."""
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidSource, match="is no list of invalid rows"):
        InvalidRowsFile(path)
    assert path.read_bytes() == content


def test_unusable_path_is_refused_before_the_run(tmp_path: Path) -> None:
    """A missing folder, or a path that is a folder, is an error before the first row."""
    for path in (tmp_path / "none" / "invalid.csv", tmp_path):
        with pytest.raises(InvalidSource, match="nothing was sent"):
            InvalidRowsFile(path)


def test_list_contains_no_codes_and_no_numbers(tmp_path: Path) -> None:
    """Whatever is wrong with a row, the list gives the reason and no value."""
    template = FlowTemplate.from_mapping(TEMPLATES["otp"])
    good = {"phone": "+306900000001", "pin": CODE, "ttl": "60"}
    path = tmp_path / "invalid.csv"
    source = tmp_path / "rows.csv"
    invalid = [
        {**good, "pin": CODE * 2},
        {**good, "ttl": CODE + "x"},
        {**good, "phone": CODE},
        {**good, "phone": f"+{CODE}"},
    ]
    lines = [",".join(row.values()) for row in [good, *invalid]]
    source.write_text("\n".join(["phone,pin,ttl", *lines, CODE, f'{CODE},"{CODE}', f'{CODE},"{CODE}"{CODE}']))
    printed: list[str] = []
    with InvalidRowsFile(path) as invalid_rows:
        for row in template.rows(read_source(source)):
            try:
                row.build_flow(Correlation())
            except InvalidFlow as error:
                invalid_rows(row.line, row.recipient, error.problems)
                printed.append(f"{error} {error!r} {row!r} {row.build_flow!r}")
    assert CODE not in "".join(printed)
    text = path.read_text()
    assert [line.split(",")[0] for line in text.splitlines()] == ["line", *"3456789"]
    assert CODE not in text
    assert "00000001" not in text


def test_full_disk_raises_ledger_error(tmp_path: Path) -> None:
    """If a row cannot be listed, nothing more is sent."""
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("needs /dev/full")
    path = tmp_path / "invalid.csv"
    invalid_rows = InvalidRowsFile(path)
    path.symlink_to(full)
    with pytest.raises(LedgerError, match="No space left on device"):
        invalid_rows(1, "", PROBLEMS)
