"""Tests of `pipeline.labelling.batches.sending`."""
