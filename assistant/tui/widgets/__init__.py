"""What the screens are made of; widgets get facts and tell what happened."""
