"""The command line: `peakmesh …`. Composes the tools; they do not know one another."""
