"""The documentation: its programs and commands run as printed."""
