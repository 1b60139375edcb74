"""Faults for a running mesh, and scenarios that arm them, watch, and say what held."""
