"""Tests of `pipeline.recommenders.counting`."""
