"""What the sandbox posts to callers: when something becomes of a flow, and when a person replies."""
