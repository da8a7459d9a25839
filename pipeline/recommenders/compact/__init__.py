"""Trained models in few bytes: numbers of 8 or 4 bits, and product codes."""
