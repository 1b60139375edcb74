"""What the governor counts, beside what every server counts."""

from meshkit.metrics import counter

CHANGES = counter("peakmesh_governor_changes_total", "changes made, by method; repeats are not counted", ["method"])
HEALED = counter("peakmesh_governor_healed_total", "what a crash had left half done, by kind", ["kind"])
TOGGLES = counter(
    "peakmesh_governor_toggles_total", "changes of features, by feature and what was done", ["feature", "what"]
)
