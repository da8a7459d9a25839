"""Tests of `pipeline.labelling.online`."""
