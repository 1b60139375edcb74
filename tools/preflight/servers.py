"""Does everything answer, and do the clocks agree?"""

from collections.abc import Iterator, Mapping

from tools.preflight.facts import Certificate, EnvoyFacts, Facts, RedisServer, SqlServer, Unread
from tools.preflight.report import Finding, Level, problem, warning

SKEW_WARNING_MS, SKEW_PROBLEM_MS = 100, 1_000
CERTIFICATE_WARNING_DAYS = 30


def reach(facts: Facts) -> Iterator[Finding]:
    for name in ("redis", "sql", "kafka", "stock", "envoy", "identity"):
        source = getattr(facts, name)
        if isinstance(source, Unread):
            yield problem(f"{name} could not be read: {source.why}", "`peakmesh status`, and its log: `peakmesh logs`")


def processes(_: Facts, found: Mapping[str, str]) -> Iterator[Finding]:
    for name, why in found.items():
        if why:
            yield problem(f"{name}: {why}", f"`peakmesh logs {name}`")


def providers(_: Facts, found: Mapping[str, str]) -> Iterator[Finding]:
    """Orders are taken without them, and wait."""
    for name, why in found.items():
        if why:
            yield problem(f"{name} does not answer: {why}", "orders will be taken and not settled: ask the provider")


def clocks(_: Facts, redis: RedisServer, sql: SqlServer) -> Iterator[Finding]:
    """A sale opens by Redis' clock, its deadlines are kept by the services', and rows are stamped by theirs too."""
    for name, off in (("Redis", redis.clock_off_ms), ("the database", sql.clock_off_ms)):
        words = f"the clock of {name} is {off:+.0f} ms off ours"
        if abs(off) >= SKEW_PROBLEM_MS:
            yield problem(words, "synchronise it (chrony, ntpd): the sale would open that much early or late")
        elif abs(off) >= SKEW_WARNING_MS:
            yield warning(words, "synchronise it (chrony, ntpd)")


def clusters(_: Facts, envoy: EnvoyFacts) -> Iterator[Finding]:
    for name, (healthy, hosts) in envoy.clusters.items():
        if healthy == 0:
            yield problem(f"Envoy finds no healthy host in {name}", "is the process up? `peakmesh status`")
        elif healthy < hosts:
            yield warning(f"Envoy finds {healthy} of {hosts} hosts healthy in {name}", "`peakmesh status`")


def faults(_: Facts, envoy: EnvoyFacts) -> Iterator[Finding]:
    for key, value in envoy.faults.items():
        yield problem(f"a fault is armed in Envoy: {key} = {value}", "a drill was not ended: restart Envoy")


def certificates(_: Facts, envoy: EnvoyFacts, told: Mapping[str, Certificate]) -> Iterator[Finding]:
    found = {**envoy.certificates, **told}
    if not found:
        words = "none in use: Envoy has no TLS, and PEAKMESH_CERTIFICATES names no file"
        yield Finding(Level.OK, words, "")
    for name, each in found.items():
        if each.why:
            yield problem(f"the certificate {name} could not be read: {each.why}", "see PEAKMESH_CERTIFICATES")
        elif each.begins_in > 0:
            yield problem(f"the certificate {name} is not valid yet, for {each.begins_in:.1f} days", "use another")
        elif each.ends_in < 0:
            yield problem(f"the certificate {name} ended {-each.ends_in:.1f} days ago", "renew it before the sale")
        elif each.ends_in < 1:
            yield problem(f"the certificate {name} ends within a day", "renew it before the sale")
        elif each.ends_in < CERTIFICATE_WARNING_DAYS:
            yield warning(f"the certificate {name} ends in {each.ends_in:.0f} days", "renew it")
