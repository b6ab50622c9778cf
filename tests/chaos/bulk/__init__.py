"""Bulk runs that are killed, frozen and starved, against a server whose own count is the judge."""
