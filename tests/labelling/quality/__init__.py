"""Tests of `pipeline.labelling.quality`."""
