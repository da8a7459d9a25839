"""Distillation: what the labelled rankings teach the student, and the control without them."""
