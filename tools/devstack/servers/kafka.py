"""Apache Kafka: one KRaft node from the jars of its own release."""

import base64
import os
import shutil
import subprocess
import uuid
from pathlib import Path

from tools.devstack.spec import ROOT, DevstackError, Mesh

POM = ROOT / "tools" / "devstack" / "kafka" / "pom.xml"
JARS = ROOT / ".tools" / "kafka" / "lib"
# The broker's classes as the JVM has them in memory: with it and without the second compiler a start costs 2.5 s of CPU
# instead of 7.5 s. An archive that does not fit the JVM or the jars is ignored by the JVM.
CLASSES = JARS.parent / "classes.jsa"

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
controller.quorum.bootstrap.servers=127.0.0.1:{controller}
inter.broker.listener.name=PLAINTEXT
log.dirs={folder}/data
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
# A worker killed with -9 is missed after its session; by default a broker allows none shorter than 6 s.
group.min.session.timeout.ms=1000
group.initial.rebalance.delay.ms=0
num.network.threads=2
num.io.threads=4
background.threads=2
# The default buffer of 128 MB would be half of the heap, to compact one small topic.
log.cleaner.threads=1
log.cleaner.dedupe.buffer.size=4194304
log.index.size.max.bytes=1048576
"""

_LOG4J = """\
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %m (%c)%n
rootLogger.level=WARN
rootLogger.appenderRef.console.ref=console
"""


def prepare(mesh: Mesh) -> None:
    fetch_jars()
    folder = mesh.run_dir / "kafka"
    folder.mkdir(parents=True, exist_ok=True)
    ports = mesh.ports
    properties = _PROPERTIES.format(port=ports["kafka"], controller=ports["kafka_controller"], folder=folder)
    (folder / "server.properties").write_text(properties)
    (folder / "log4j2.properties").write_text(_LOG4J)
    if not (folder / "data" / "meta.properties").exists():
        _format(mesh, folder)


def argv(mesh: Mesh) -> list[str]:
    folder = mesh.run_dir / "kafka"
    archive = [f"-XX:SharedArchiveFile={CLASSES}"] if CLASSES.exists() else []
    return [
        java(),
        *archive,
        "-Xms128m",
        "-Xmx384m",
        "-XX:+UseSerialGC",
        # C2 would compile during the whole sale, on the two cores that sell.
        "-XX:TieredStopAtLevel=1",
        "-XX:MaxDirectMemorySize=64m",
        "-Djava.awt.headless=true",
        f"-Dlog4j2.configurationFile={folder / 'log4j2.properties'}",
        "-cp",
        f"{JARS}/*",
        "kafka.Kafka",
        str(folder / "server.properties"),
    ]


def fetch_jars() -> None:
    """Lays the broker's jars in `.tools/kafka/lib`, once for each content of the pom."""
    stamp = JARS / ".pom"
    if stamp.exists() and stamp.read_bytes() == POM.read_bytes():
        return
    maven = shutil.which("mvn")
    if not maven:
        raise DevstackError(f"Kafka's jars are missing: run `make setup`, or `{_INSTALL}` and try again.")
    JARS.mkdir(parents=True, exist_ok=True)
    for old in [*JARS.glob("*.jar"), *CLASSES.parent.glob(CLASSES.name)]:
        old.unlink()
    log = JARS.parent / "maven.log"
    command = [maven, "--batch-mode", "-f", str(POM), "dependency:copy-dependencies", f"-DoutputDirectory={JARS}"]
    with log.open("wb") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise DevstackError(f"Maven could not fetch Kafka's jars: see {log}, then run `make setup` again.")
    stamp.write_bytes(POM.read_bytes())


_INSTALL = "apt-get install --no-install-recommends default-jre-headless maven"


def java() -> str:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin") if home else None
    found = found or shutil.which("java")
    if not found:
        raise DevstackError(f"Java is not installed: run `make setup`, or `{_INSTALL}`.")
    return found


def _format(mesh: Mesh, folder: Path) -> None:
    shutil.rmtree(folder / "data", ignore_errors=True)
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()
    # An id that begins with a dash would be read as an option.
    cluster = cluster.replace("-", "A", 1) if cluster.startswith("-") else cluster
    command = [java(), "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*", "kafka.tools.StorageTool"]
    command += ["format", "--standalone", "-t", cluster, "-c", str(folder / "server.properties")]
    log = mesh.log_file("kafka-format")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        raise DevstackError(f"Kafka's data folder could not be formatted: see {log}.")
