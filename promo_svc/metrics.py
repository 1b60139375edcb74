"""What promo_svc counts, beside what every server counts."""

from meshkit.metrics import counter

QUOTES = counter("peakmesh_promo_quotes_total", "quotes answered, by state: applied or refused", ["state"])
SETTLED = counter(
    "peakmesh_promo_holds_total",
    "holds ended: committed, freed, refunded, expired; or retaken: paid after it was gone",
    ["end"],
)
SKIPPED = counter("peakmesh_promo_results_skipped_total", "records of payments.results that are no result")
WAITS = counter("peakmesh_promo_outage_waits_total", "waits for a server that did not do its part", ["what"])
