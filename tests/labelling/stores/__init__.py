"""Tests of `pipeline.labelling.stores`."""
