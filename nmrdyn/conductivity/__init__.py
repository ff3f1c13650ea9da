"""Step 1': conductivity table, resistances or impedance spectra -> transport, and the lines through them."""
