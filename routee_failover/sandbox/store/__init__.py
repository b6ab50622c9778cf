"""Persistence of the sandbox: in memory only by default, or in an SQLite file (`store=`, `--store`)."""
