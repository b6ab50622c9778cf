"""Routee's documented API: authentication, sends, tracking and searches, with the errors of each service."""
