"""Which training sessions are worth a prompt: difficulty, the max-min policy, and the draw."""
