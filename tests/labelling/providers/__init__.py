"""Tests of `pipeline.labelling.providers`."""
