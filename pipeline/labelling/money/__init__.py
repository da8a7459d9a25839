"""What labels cost: prices, what was spent, the gate before the first request, the running cap."""
