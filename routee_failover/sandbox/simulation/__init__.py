"""What becomes of a flow: the virtual clock, the rules that script it, and the pure engine that plays its steps."""
