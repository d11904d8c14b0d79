"""Whether what is learned is true: simulated worlds whose truth is known."""
