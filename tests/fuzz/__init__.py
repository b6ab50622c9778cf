"""Fuzzing of everything that parses input from others: `python -m nox -s fuzz` runs a million executions."""
