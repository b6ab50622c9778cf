"""Real instrumentations over a client with a `session_factory`: each request carries and records its own trace."""
