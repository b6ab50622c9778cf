"""Routee's own addresses as its pages document them: who may call, how each service says no, what it answers."""
