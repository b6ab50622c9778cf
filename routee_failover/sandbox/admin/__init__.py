"""Admin API of the sandbox: its clock, rules, flows, callbacks, events and inbox page, for tests in any language."""
