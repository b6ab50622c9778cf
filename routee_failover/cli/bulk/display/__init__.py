"""Displays of a bulk run: live dashboard, plain lines and JSON Lines. What they show is computed without I/O."""
