"""Callbacks of the sandbox: posts flow status reports and inbound replies to the URLs that flows name, with retries."""
