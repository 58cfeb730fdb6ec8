"""What /commands do, and the chat that they change: everything about it but a screen."""
