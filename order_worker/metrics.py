"""Metrics of order_worker."""

from meshkit.metrics import counter, gauge, histogram

RECORDS = counter("peakmesh_order_records_total", "records done and committed", ["consumer"])
BATCH_SECONDS = histogram("peakmesh_order_batch_seconds", "one database transaction of a batch", ["consumer"])
ROWS = counter("peakmesh_order_rows_total", "order rows written, by the state they were written in", ["state"])
MOVES = counter("peakmesh_order_moves_total", "rows moved to a state", ["state"])
OVERSOLD = counter("peakmesh_order_oversold_total", "orders the final guard refused: 0 outside drills")
DEAD_LETTERS = counter("peakmesh_order_dead_letters_total", "records written to a dead-letter topic", ["topic"])
OUTAGES = counter("peakmesh_order_outage_waits_total", "waits for a server that did not do its part", ["what"])
FOLLOW_UPS = counter("peakmesh_order_follow_ups_total", "OrderCreated published", ["cause"])
HEALED = counter("peakmesh_order_healed_total", "reservations the reconciler put right", ["effect"])
TRIMMED = counter("peakmesh_order_trimmed_total", "reservations of orders long ended that left Redis")
REFUNDS = counter("peakmesh_order_refunds_total", "successes that met a failed row")
CANCELS = counter("peakmesh_order_cancels_total", "cancels that took effect, by when they came", ["when"])
WATCHERS = gauge("peakmesh_order_watchers", "orders being watched, one a stream")
WATCHES = counter("peakmesh_order_watches_total", "streams of WatchOrder, by how they ended", ["ending"])
LOOK_SECONDS = histogram("peakmesh_order_look_seconds", "one look at all watched orders")
ANALYTICS_SECONDS = histogram("peakmesh_order_analytics_seconds", "the queries of one GetSellerAnalytics")
