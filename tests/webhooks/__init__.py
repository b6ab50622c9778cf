"""Tests of `routee_failover.webhooks`."""
