"""A run as it is seen: a board on a screen, lines in a pipe, JSON. What is shown is decided without I/O."""
