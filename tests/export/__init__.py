"""Tests of the served form."""
