"""Requests sent one by one: how fast, how often again, over what wire, and when to stop."""
