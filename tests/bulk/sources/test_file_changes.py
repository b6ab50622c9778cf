"""Source files that cannot be read again, or change during a run, are reported."""

import os
from pathlib import Path

import pytest

from routee_failover import InvalidSource
from routee_failover.bulk.sources import read_source


@pytest.mark.skipif(os.name != "posix", reason="POSIX pipes")
@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet", None])
def test_pipe_or_device_is_refused(tmp_path: Path, format: str | None) -> None:  # noqa: A002
    """A stream that can be read only once is refused before it is opened, with the reason."""
    pipe = tmp_path / "people"
    os.mkfifo(pipe)
    for stream in (pipe, Path(os.devnull)):
        with pytest.raises(InvalidSource, match="is a pipe or a device, and a run reads its source several times"):
            read_source(stream, format=format)


@pytest.mark.parametrize(
    "changed", ["name,phone\nAda,+1\n", "phone\n+1\n", "phone;name\n+1;Ada\n", 'phone,"name\n', "+1,Ada\n", "\n"]
)
def test_changed_csv_header_ends_the_run(tmp_path: Path, changed: str) -> None:
    """No value gets the name of another column: the run ends if the columns have changed."""
    path = tmp_path / "people.csv"
    path.write_text("phone,name\n+1,Ada\n", "utf-8")
    source = read_source(path)
    path.write_text(changed, "utf-8")
    with pytest.raises(InvalidSource, match="has other columns in line 1 than at the start of this run"):
        list(source)
    path.write_text(" phone,name \n+1,Ada\n+2,Bo\n", "utf-8")
    assert len(list(source)) == 2
