"""Readers, the rules that make sessions, fetching, and the synthetic log."""
