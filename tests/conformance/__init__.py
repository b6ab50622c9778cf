"""Routee's own pages, example by example, through raw HTTP: nothing here knows this project's client."""
