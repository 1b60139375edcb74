"""Version N reads what N−1 wrote, and N−1 what N writes: both run side by side while a release rolls out.

For every request, response and event there is, not for those that happened to change.
"""

from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto
from google.protobuf.message import Message

from tests.contract.builds import Build, build, current_files, filled, grown, members, released_files

CURRENT = build(current_files())
RELEASED = build(released_files())
NEXT = build(grown(current_files()))


def cases(of: Build) -> list[tuple[str, str]]:
    return [(name, member) for name, kind in sorted(of.items()) for member in members(kind)]


def passed_through(written: Message, reader: type[Message]) -> Message:
    """What the writer's build has after the reader's has read and written it again."""
    read = reader.FromString(written.SerializeToString())
    return type(written).FromString(read.SerializeToString())


def in_both(message: Message, other: Message) -> dict[str, Any]:
    """Scalars of `message`, by path, whose fields `other` has too."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        twin = other.DESCRIPTOR.fields_by_number.get(field.number)
        if twin is None:
            continue
        path = str(field.number)
        if isinstance(value, Message):
            pairs = [(path, value, getattr(other, twin.name))]
        elif field.message_type is not None and not field.message_type.GetOptions().map_entry:
            mine, theirs = list(value), list(getattr(other, twin.name))
            found[f"{path}.length"] = len(mine)
            pairs = [(f"{path}[{i}]", *pair) for i, pair in enumerate(zip(mine, theirs, strict=False))]
        else:
            found[path] = dict(value) if hasattr(value, "items") else list(value) if field.is_repeated else value
            continue
        for at, inner, outer in pairs:
            found |= {f"{at}.{name}": each for name, each in in_both(inner, outer).items()}
    return found


def agree(written: Message, reader: type[Message]) -> None:
    """The reader has every value whose field it knows, and passes on the others."""
    read = reader.FromString(written.SerializeToString())
    assert in_both(read, written) == in_both(written, read)
    assert passed_through(written, reader) == written


def knows_all(written: Message, reader: type[Message]) -> None:
    agree(written, reader)
    assert in_both(written, reader.FromString(written.SerializeToString())) == in_both(written, written)


@pytest.mark.parametrize(("name", "member"), cases(RELEASED))
def test_this_build_reads_what_the_released_one_wrote_and_loses_nothing(name: str, member: str) -> None:
    knows_all(filled(RELEASED[name], member), CURRENT[name])


@pytest.mark.parametrize(("name", "member"), cases({name: CURRENT[name] for name in RELEASED}))
def test_the_released_build_reads_what_this_one_writes_and_loses_nothing(name: str, member: str) -> None:
    agree(filled(CURRENT[name], member), RELEASED[name])


@pytest.mark.parametrize(("name", "member"), cases(NEXT))
def test_this_build_passes_on_what_the_next_one_adds(name: str, member: str) -> None:
    written = filled(NEXT[name], member)
    assert any(field.name == "added_in_the_next_release" for field, _ in written.ListFields())
    agree(written, CURRENT[name])


@pytest.mark.parametrize(("name", "member"), cases(CURRENT))
def test_the_next_build_reads_what_this_one_writes(name: str, member: str) -> None:
    knows_all(filled(CURRENT[name], member), NEXT[name])


def test_every_message_of_the_contracts_is_among_them() -> None:
    files = {file.name for file in current_files() if file.name.startswith("peakmesh")}
    assert len(RELEASED) > 50
    assert RELEASED.keys() <= CURRENT.keys() == NEXT.keys()
    named = {each.name for file in current_files() if file.name in files for each in file.message_type}
    assert {name.rpartition(".")[2] for name in CURRENT} >= named


ORDER = "peakmesh.event.v1.AcceptedOrder"


def otherwise(**change: Any) -> type[Message]:
    """AcceptedOrder as a build would have it that changed the field order_id."""
    files = current_files()
    [events] = [file for file in files if file.package == "peakmesh.event.v1"]
    [message] = [each for each in events.message_type if each.name == "AcceptedOrder"]
    message.field[0].MergeFrom(FieldDescriptorProto(**change))
    return build(files)[ORDER]


@pytest.mark.parametrize("change", [{"number": 900}, {"type": FieldDescriptorProto.TYPE_INT64}])
def test_a_field_that_another_build_has_otherwise_is_found(change: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        knows_all(filled(CURRENT[ORDER]), otherwise(**change))


def test_a_field_that_was_only_added_is_not() -> None:
    knows_all(filled(CURRENT[ORDER]), otherwise())
