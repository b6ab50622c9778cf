"""The tests: each says its promise in one sentence."""
