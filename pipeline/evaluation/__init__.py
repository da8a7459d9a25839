"""True ranks to figures, intervals and the one results table."""
