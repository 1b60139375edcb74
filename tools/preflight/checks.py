"""Every check, in the order it is shown."""

from tools.preflight import durability, sales, servers
from tools.preflight.check import Check

CHECKS = (
    Check("reach", "all servers could be read", (), servers.reach),
    Check("processes", "every process serves", ("processes",), servers.processes),
    Check("clusters", "Envoy finds every host healthy", ("envoy",), servers.clusters),
    Check("faults", "no fault is armed", ("envoy",), servers.faults),
    Check("certificates", "none ends soon", ("envoy", "certificates"), servers.certificates),
    Check("keys", "tokens pass", ("identity",), sales.keys),
    Check("doors", "a call with a token passes both doors", ("identity",), sales.doors),
    Check("clocks", "the clocks agree", ("redis", "sql"), servers.clocks),
    Check("redis settings", "Redis forgets nothing", ("redis",), durability.redis_settings),
    Check("redis memory", "Redis has room", ("redis", "sql"), durability.redis_memory),
    Check("database", "it forgets nothing, and has this build's schema", ("sql",), durability.database_settings),
    Check("topics", "as declared", ("kafka",), durability.topics),
    Check("queues", "nobody is behind", ("kafka",), sales.queues),
    Check("dead letters", "there is none", ("kafka",), sales.dead_letters),
    Check("disk", "there is room", ("host",), durability.disk),
    Check("providers", "all answer", ("providers",), servers.providers),
    Check("hours", "every sale will take orders", ("sql",), sales.hours),
    Check("registry", "checkout knows every offer", ("sql", "stock"), sales.registry),
    Check("stock", "SQL and Redis agree", ("sql", "stock"), sales.counters),
)
