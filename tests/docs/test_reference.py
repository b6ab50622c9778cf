"""docs/reference.md: programs about raw flows and reading calls run as printed, and limits are those of the code."""

from pathlib import Path

from routee_failover.flows import size_limits
from routee_failover.sandbox import Sandbox

from .test_bulk_sending_programs import program_output
from .test_python_blocks import ROOT, blocks

PAGE = "docs/reference.md"
PROGRAMS = [block for block in blocks(PAGE, "python") if "asyncio.run(main())" in block]


def test_program_with_a_raw_flow_sends_it_and_waits(tmp_path: Path) -> None:
    """The raw flow is accepted, and its record is printed without its number."""
    with Sandbox(speed=600) as sandbox:
        (record,) = program_output(PROGRAMS[0], tmp_path, sandbox)
        assert sandbox.counts.accepted == 1
    assert record.startswith("FlowRecord(")
    assert "306900000020" not in record


def test_program_with_reading_calls_prints_their_json(tmp_path: Path) -> None:
    """The balance and a list are read by their paths."""
    with Sandbox() as sandbox:
        balance, found = program_output(PROGRAMS[1], tmp_path, sandbox)
    assert "'balance'" in balance
    assert "'results': []" in found


def test_limits_of_a_raw_flow_are_those_of_the_code() -> None:
    """The page names each size limit as it is."""
    text = " ".join((ROOT / PAGE).read_text("utf-8").split())
    assert (
        f"at most {size_limits.MAX_SIZE // 1024**2} MiB, {size_limits.MAX_VALUES:,} values, "
        f"{size_limits.MAX_LIST_LENGTH} entries in a list, {size_limits.MAX_TEXT_LENGTH:,} characters in a text, "
        f"{size_limits.MAX_DIGITS} digits in a number and {size_limits.MAX_DEPTH} levels"
    ) in text
