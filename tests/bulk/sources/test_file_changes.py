"""A source is a file that stays what it is while a run reads it; what is none, or was changed, is told."""

import os
from pathlib import Path

import pytest

from routee_failover import InvalidSource
from routee_failover.bulk.sources import read_source


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", None])
def test_a_pipe_is_no_file(tmp_path: Path, format: str | None) -> None:  # noqa: A002
    """What can be read once only is refused before it is opened, with the reason."""
    pipe = tmp_path / "people"
    os.mkfifo(pipe)
    for stream in (pipe, Path(os.devnull)):
        with pytest.raises(InvalidSource, match="is a pipe or a device, and a run reads its source several times"):
            read_source(stream, format=format)


@pytest.mark.parametrize(
    "changed", ["name,phone\nAda,+1\n", "phone\n+1\n", "phone;name\n+1;Ada\n", 'phone,"name\n', "+1,Ada\n", "\n"]
)
def test_a_header_that_changes(tmp_path: Path, changed: str) -> None:
    """No value goes under the name of another column: the run ends where the columns are others than at first."""
    path = tmp_path / "people.csv"
    path.write_text("phone,name\n+1,Ada\n", "utf-8")
    source = read_source(path)
    path.write_text(changed, "utf-8")
    with pytest.raises(InvalidSource, match="names other columns in line 1 than when this run began"):
        list(source)
    path.write_text(" phone,name \n+1,Ada\n+2,Bo\n", "utf-8")
    assert len(list(source)) == 2
