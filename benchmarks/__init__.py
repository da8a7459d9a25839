"""Speed and scale, measured against a named rival in one run."""
