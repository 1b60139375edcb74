"""Puts the control loop together."""

import os
from collections.abc import Coroutine
from pathlib import Path
from typing import Any
from uuid import uuid4

from redis.asyncio import Redis

from governor.govern import Govern
from governor.read_signals import ReadSignals
from governor.settings import Settings
from governor.switch_features import LogOnly, Switchboard
from governor.tier_policy import load_policy
from governor.tier_store import TierStore
from kernel.features import features
from kernel.topics import ORDER_WORKER, ORDERS_INTAKE, PARTITIONS
from meshkit.kafka.queue_estimate import QueueEstimate

SHIPPED_POLICY = Path(__file__).with_name("tiers.yaml")


class Governing:
    """Raises PolicyRefused: a policy that is wrong does not start. `parts` are to run beside the server."""

    def __init__(self, settings: Settings, redis: Redis, switchboard: Switchboard) -> None:
        policy = load_policy(Path(settings.governor_policy or SHIPPED_POLICY), features())
        dry_run = settings.governor_dry_run
        self.store = TierStore(redis, f"{os.getpid()}-{uuid4().hex[:8]}", dry_run=dry_run)
        queue = QueueEstimate(settings.kafka, ORDERS_INTAKE, ORDER_WORKER, PARTITIONS)
        signals = ReadSignals(settings.checkout_metrics, queue, policy.window_seconds)
        govern = Govern(policy, self.store, signals, LogOnly() if dry_run else switchboard, features())
        self.parts: tuple[Coroutine[Any, Any, None], ...] = (queue.run(), signals.run(), govern.run())
