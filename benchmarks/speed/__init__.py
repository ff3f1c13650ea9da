"""What `sampling.py` is made of: simulated studies, other samplers, and how they are timed."""
