"""Tests of routee-failover; each docstring states the promise in one sentence."""
