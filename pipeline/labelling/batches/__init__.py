"""Requests sent as files to a Batch API: planned on disk, created once, taken up again."""
