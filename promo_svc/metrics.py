"""What promo_svc counts, beside what every server counts."""

from meshkit.metrics import counter

QUOTES = counter("peakmesh_promo_quotes_total", "quotes answered, by state: applied or refused", ["state"])
