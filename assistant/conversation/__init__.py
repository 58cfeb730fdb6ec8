"""One turn: what is sent, whether it fits, and what comes back."""
