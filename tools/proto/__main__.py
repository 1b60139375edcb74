"""`python -m tools.proto generate|check|image FILE|release`: code from the contracts, its freshness, the image for buf,
and the image of a release, which later contracts may not break."""

import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

import grpc_tools
from google.type import money_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "protos"
OPENAPI = ROOT / "generated" / "openapi.json"
RELEASED = PROTOS / "released.binpb"
GENERATED = ROOT / "generated" / "python"


def main(arguments: list[str]) -> int:
    match arguments:
        case ["generate"]:
            return _generate(GENERATED) or _describe(OPENAPI)
        case ["check"]:
            return _check() or _check_openapi()
        case ["image", target]:
            return _image(Path(target))
        case ["release"]:
            return _protoc("--include_imports", f"--descriptor_set_out={RELEASED}")
    print(__doc__, file=sys.stderr)
    return 2


def _generate(target: Path) -> int:
    """Files of contracts that are gone go too."""
    target.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as fresh:
        status = _compile(Path(fresh))
        if status != 0:
            return status
        made = {path.relative_to(fresh) for path in Path(fresh).rglob("*.py*")}
        for old in target.rglob("*.py*"):
            if old.relative_to(target) not in made and "__pycache__" not in old.parts:
                old.unlink()
        for path in made:
            (target / path).parent.mkdir(parents=True, exist_ok=True)
            (target / path).write_bytes((Path(fresh) / path).read_bytes())
    return 0


def _check() -> int:
    with tempfile.TemporaryDirectory() as fresh:
        status = _compile(Path(fresh))
        if status != 0:
            return status
        made, kept = _listing(Path(fresh)), _listing(GENERATED)
        shared = [str(path) for path in sorted(made & kept)]
        _, differing, unreadable = filecmp.cmpfiles(fresh, GENERATED, shared, shallow=False)
    stale = sorted({str(path) for path in made ^ kept} | set(differing) | set(unreadable))
    if stale:
        print("generated/python is not what protos/ says; run `make proto`:", *stale, sep="\n  ", file=sys.stderr)
    return 1 if stale else 0


def _describe(target: Path) -> int:
    """In a process of its own: it imports the generated code, which may have been made a moment ago."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "protos.binpb"
        words = f"from pathlib import Path; write_openapi(Path({str(image)!r}), Path({str(target)!r}))"
        command = [sys.executable, "-c", f"from tools.proto.openapi import write_openapi; {words}"]
        return _image(image) or subprocess.run(command, cwd=ROOT, check=False).returncode


def _check_openapi() -> int:
    with tempfile.TemporaryDirectory() as folder:
        fresh = Path(folder) / OPENAPI.name
        status = _describe(fresh)
        if status == 0 and fresh.read_bytes() != OPENAPI.read_bytes():
            print("generated/openapi.json is not what protos/ says; run `make proto`", file=sys.stderr)
            return 1
        return status


def _compile(target: Path) -> int:
    # Beside the interpreter, which need not be on the PATH.
    plugins = [
        f"--plugin={name}={Path(sys.executable).parent / name}" for name in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    ]
    outputs = [f"--python_out={target}", f"--grpc_python_out={target}"]
    typed = [f"--mypy_out=quiet:{target}", f"--mypy_grpc_out=quiet:{target}"]
    return _protoc(*plugins, *outputs, *typed)


def _image(target: Path) -> int:
    """What buf reads: made by protoc, so that no schema registry is asked for google's files."""
    target.parent.mkdir(parents=True, exist_ok=True)
    return _protoc("--include_imports", "--include_source_info", f"--descriptor_set_out={target}")


def _protoc(*options: str) -> int:
    # google/api, google/rpc and google/type come with googleapis-common-protos; google/protobuf with grpcio-tools.
    includes = [PROTOS, Path(money_pb2.__file__).parents[2], Path(grpc_tools.__file__).parent / "_proto"]
    sources = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.rglob("*.proto"))
    status: int = protoc.main(["protoc", *(f"-I{path}" for path in includes), *options, *sources])
    return status


def _listing(folder: Path) -> set[Path]:
    return {path.relative_to(folder) for path in folder.rglob("*.py*") if "__pycache__" not in path.parts}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
