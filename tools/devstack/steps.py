"""What the supervisor does itself between the processes' starts: a process of its own for each would cost a second."""

from kernel.topics import TOPICS
from meshkit.identity import create_keys
from meshkit.kafka import topics
from tools.devstack.spec import Mesh


async def make_keys(mesh: Mesh) -> None:
    """The key pair that tokens are signed with; keys that are there stay."""
    create_keys(mesh.settings.identity_dir)


async def ensure_topics(mesh: Mesh) -> None:
    """Makes missing topics. Raises TopicsDiffer."""
    await topics.ensure_topics(mesh.settings.kafka, TOPICS, mesh.settings.unsafe)
