"""Step 2: recovery -> relaxation. Recovery models, one a file, and the fit."""
