"""Tests of the labelling package."""
