"""The real `dvc` in repositories of its own."""
