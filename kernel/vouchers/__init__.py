"""What vouchers have given and hold, in Redis: written by promo_svc, read by the audit."""
