"""Tests of `pipeline.recommenders.compact`."""
