"""A whole flash sale: load, drain, audit, verdict."""
