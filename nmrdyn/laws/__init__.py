"""Laws of temperature: how the correlation time of a motion follows T, and what a barrier means; one law a file."""
