"""One file a stage, of the same name: read, compute, write."""
