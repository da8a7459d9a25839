"""The promise about labels, at full length: load, limits, kills, damage, money, scale."""
