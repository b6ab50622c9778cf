"""`routee-failover bulk`: many messages out of a file, each sent once, and what became of them."""
