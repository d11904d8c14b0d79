"""Which attributes go with which outcomes, and which of them cannot have been known before."""
