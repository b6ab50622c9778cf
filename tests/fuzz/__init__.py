"""Hostile input for everything that reads what others send: `python -m nox -s fuzz` tries a million."""
