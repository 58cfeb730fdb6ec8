"""Events become characters on a terminal or bytes in a pipe."""
