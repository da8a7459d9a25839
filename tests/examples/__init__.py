"""The pages below `examples/` do what they say."""
