"""Run by people: the dev stack, sales, audits, sandboxes and the command line."""
