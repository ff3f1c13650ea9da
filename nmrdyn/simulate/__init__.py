"""Truth -> data, for the demo, docstrings, tests and calibration."""
