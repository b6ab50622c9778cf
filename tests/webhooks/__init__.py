"""Tests of the room that Routee calls back."""
