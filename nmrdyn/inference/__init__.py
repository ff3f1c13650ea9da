"""Step 4: stages -> posterior. Processes, priors, likelihood, modes, sampler (emcee) and diagnostics."""
