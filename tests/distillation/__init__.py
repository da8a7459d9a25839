"""Tests of the distillation."""
