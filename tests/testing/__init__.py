"""`routee_failover.testing`: what a user's unit tests get."""
