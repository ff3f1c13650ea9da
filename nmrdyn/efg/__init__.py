"""Electric field gradients of a calculation -> C_Q, eta, and the share that a jump modulates."""
