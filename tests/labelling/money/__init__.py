"""Tests of `pipeline.labelling.money`."""
