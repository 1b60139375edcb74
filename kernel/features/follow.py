"""A process follows the governors' flags, and holds calls to them that came past Envoy."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial

from kernel.features import defaults, disabled, features
from meshkit.flags import Flags, following_flags
from meshkit.settings import ProcessSettings


def following_features(settings: ProcessSettings) -> AbstractAsyncContextManager[Flags]:
    """Never waits: the file's defaults hold until a governor was heard, and its last word when all are gone."""
    return following_flags(settings.flags, defaults())


def gates(flags: Flags) -> Mapping[str, Callable[[], None]]:
    """By full method path: raises FeatureDisabled while its feature is off."""
    return {rpc: partial(_pass, flags, name) for name, feature in features().items() for rpc in feature.rpcs}


def _pass(flags: Flags, name: str) -> None:
    if not flags.is_on(name):
        raise disabled(name)
