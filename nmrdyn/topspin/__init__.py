"""Step 1: TopSpin folder -> recovery. The only room that imports nmrglue."""
