"""Measurements as commands: they print figures, and assert nothing."""
