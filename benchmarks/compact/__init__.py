"""What a model of few bytes reaches on the published sessions."""
