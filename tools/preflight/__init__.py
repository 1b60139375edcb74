"""Preflight: what would spoil tonight's sale, found before it begins."""
