"""Model files on this machine: find them and read what they say of themselves."""
