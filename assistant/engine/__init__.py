"""Runs requests against one model and streams events."""
