"""Step 1'': what molecular dynamics found, as a further process: diffusion coefficients, and rotation."""
