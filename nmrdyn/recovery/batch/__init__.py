"""Many traces with the same delays at once: `traces.py` says what for, `search.py` how."""
