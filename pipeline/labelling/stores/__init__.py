"""Where answers are kept: store, journal, ledger, the names of parts, what keeps buyers apart."""
