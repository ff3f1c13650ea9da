"""Simulation-based calibration: studies with known answers, their posteriors, and whether the ranks are uniform."""
