"""Step 3: relaxation <-> motion. Spectral densities, mechanisms, and the inversion of T1 to tau_c."""
