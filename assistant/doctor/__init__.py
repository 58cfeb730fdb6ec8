"""Looks whether everything that llmchat needs is there and works, and where the gigabytes are."""
