"""Metrics of checkout_svc."""

from meshkit.metrics import counter, gauge, histogram

ANSWERS = counter("peakmesh_checkout_answers_total", "PlaceOrder by what was answered", ["answer"])
IN_PROGRESS = gauge("peakmesh_checkout_in_progress", "orders in progress, lines of carts included")
CART_LINES = counter("peakmesh_checkout_cart_lines_total", "Lines of CheckoutCart by what was answered", ["answer"])
PROMOTIONS = counter("peakmesh_checkout_promotions_total", "Vouchers by what became of them", ["state"])
HOLDS_UNUSED = counter("peakmesh_checkout_holds_unused_total", "Holds of vouchers given back, or put off", ["outcome"])
ACK_SECONDS = histogram("peakmesh_checkout_ack_seconds", "From publish to Kafka's ack")
WINDOW_ORDERS = histogram(
    "peakmesh_checkout_window_orders", "Orders a script call", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 500)
)
RELAYED = counter("peakmesh_checkout_relayed_total", "Outbox entries published by the relay", ["kind"])
OUTBOX_OLDEST = gauge("peakmesh_checkout_outbox_oldest_seconds", "Age of the oldest outbox entry the relay saw")
SEARCH_SECONDS = histogram(
    "peakmesh_checkout_search_seconds",
    "SearchProducts in the process, its turn of the thread included",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
)
CATALOG_PRODUCTS = gauge("peakmesh_checkout_catalog_products", "Products in the index")
CATALOG_REFRESH_SECONDS = histogram("peakmesh_checkout_catalog_refresh_seconds", "From an edition noticed to its index")
