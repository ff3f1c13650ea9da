"""FIDs to intensities: one linear filter, the same for all rows of an experiment."""
