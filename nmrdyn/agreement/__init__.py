"""Step 5': what could explain that barriers of NMR and of conductivity differ, and what the data rule out."""
