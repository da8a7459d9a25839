"""Raw logs to sessions: readers, the rules that cut and drop, three parts, the synthetic log."""
