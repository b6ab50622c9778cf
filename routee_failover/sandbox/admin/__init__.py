"""What the sandbox has beside Routee's API: its clock, rules, flows and inbox page, for tests in any language."""
