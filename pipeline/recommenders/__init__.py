"""Recommenders, one backbone a file, and how they are trained, stored and ranked with."""
