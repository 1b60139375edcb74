"""The real servers: their data folders, configuration and command lines."""
