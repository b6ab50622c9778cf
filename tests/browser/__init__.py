"""The inbox page in a real Chromium, on a real sandbox."""
