"""Ledger in an SQLite file, which survives its process: one thread writes, and many claims share one transaction."""
