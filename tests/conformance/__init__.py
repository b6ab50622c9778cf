"""Conformance of the sandbox with Routee's pages, example by example, over raw HTTP without this project's client."""
