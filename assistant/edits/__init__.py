"""Answers become files: what would change, writing it safely, and taking it back."""
