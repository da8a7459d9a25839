"""Models that count: popularity, co-occurrence with titles or without, and their stored forms."""
