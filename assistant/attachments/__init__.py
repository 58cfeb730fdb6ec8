"""What a user adds to a message becomes parts of it."""
