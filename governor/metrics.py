"""What the governor counts, beside what every server counts."""

from meshkit.metrics import counter, gauge

CHANGES = counter("peakmesh_governor_changes_total", "changes made, by method; repeats are not counted", ["method"])
HEALED = counter("peakmesh_governor_healed_total", "what a crash had left half done, by kind", ["kind"])
TOGGLES = counter(
    "peakmesh_governor_toggles_total", "changes of features, by feature and what was done", ["feature", "what"]
)
TIER = gauge("peakmesh_governor_tier", "the tier as this governor knows it: 0 NORMAL to 3 SURVIVAL")
LEADS = gauge("peakmesh_governor_leads", "1 while this governor holds the lease")
SIGNAL = gauge("peakmesh_governor_signal", "what the tiers are decided by; NaN: unknown", ["signal"])
DECISIONS = counter("peakmesh_governor_decisions_total", "decisions of the leader, one a second, by move", ["move"])
