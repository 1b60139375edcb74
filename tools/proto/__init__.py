"""From `protos/` to `generated/python`, and whether the two still agree."""
