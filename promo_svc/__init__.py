"""Promotions: what a voucher takes off a price."""
