"""The wire contracts stay what others have built against, and say what each of their parts means."""

from __future__ import annotations

import difflib
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from google.api import annotations_pb2, http_pb2
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    SourceCodeInfo,
)

from rookify.analysis.v1 import analysis_pb2
from rookify.compat.v1 import compat_pb2
from rookify.sync.v1 import sync_pb2

PROTOS = Path(__file__).parents[2] / "protos"
GOLDEN = Path(__file__).parent / "golden" / "protos.txt"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> list[FileDescriptorProto]:
    """Every contract under protos/rookify, compiled with its comments, by name."""
    image = tmp_path_factory.mktemp("protos") / "image.binpb"
    names = sorted(str(path.relative_to(PROTOS)) for path in (PROTOS / "rookify").rglob("*.proto"))
    imports = sysconfig.get_path("purelib")
    options = ["--include_source_info", f"--descriptor_set_out={image}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"-I{imports}", *options, *names]
    subprocess.run(command, check=True)
    compiled = FileDescriptorSet.FromString(image.read_bytes())
    return sorted(compiled.file, key=lambda file: file.name)


def test_names_numbers_types_and_paths_are_fixed(sources: list[FileDescriptorProto]) -> None:
    expected = GOLDEN.read_text(encoding="utf-8").splitlines()
    found = [line for file in sources for line in summary(file)]
    difference = "\n".join(difflib.unified_diff(expected, found, str(GOLDEN), "protos/rookify", lineterm=""))
    assert not difference, (
        f"the contract has changed, and others build against it; a part that was meant to be added "
        f"is added to the file by hand:\n{difference}"
    )


def test_the_generated_code_speaks_the_same_contract() -> None:
    expected = GOLDEN.read_text(encoding="utf-8").splitlines()
    generated: list[str] = []
    for module in (analysis_pb2, compat_pb2, sync_pb2):
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        generated += summary(file)
    assert [line for line in generated if line not in expected] == []
    assert len(generated) == len(expected)


def test_every_part_of_a_contract_says_what_it_means(sources: list[FileDescriptorProto]) -> None:
    silent = [f"{file.name}: {name}" for file in sources for name in uncommented(file)]
    assert silent == []


def test_a_missing_comment_is_found(sources: list[FileDescriptorProto]) -> None:
    """The test above can fail: one comment taken away is one name reported."""
    file = next(file for file in sources if file.name.endswith("sync.proto"))
    names = [message.name for message in file.message_type]
    path = [FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER, names.index("SyncJob"), 2, 0]
    muted = FileDescriptorProto()
    muted.CopyFrom(file)
    for location in muted.source_code_info.location:
        if list(location.path) == path:
            location.ClearField("leading_comments")
    assert list(uncommented(muted)) == ["rookify.sync.v1.SyncJob.id"]


def summary(file: FileDescriptorProto) -> Iterator[str]:
    """What of a contract is on the wire or in a URL, one line for each declaration."""
    for service in file.service:
        yield f"service {file.package}.{service.name}"
        yield from (f"  {_method(method)}" for method in service.method)
    for enum in file.enum_type:
        yield from _enum(enum, file.package)
    for message in file.message_type:
        yield from _message(message, file.package)


def _method(method: MethodDescriptorProto) -> str:
    request = f"{'stream ' * method.client_streaming}{method.input_type[1:]}"
    response = f"{'stream ' * method.server_streaming}{method.output_type[1:]}"
    rule: http_pb2.HttpRule = method.options.Extensions[
        annotations_pb2.http  # type: ignore[index]  # its stub knows extensions only as plain fields
    ]
    verb = rule.WhichOneof("pattern")
    http = f" {verb} {getattr(rule, verb)} body={rule.body!r}" if verb else ""
    return f"rpc {method.name}({request}) returns ({response}){http}"


def _enum(enum: EnumDescriptorProto, scope: str) -> Iterator[str]:
    yield f"enum {scope}.{enum.name}"
    yield from (f"  {value.number} {value.name}" for value in enum.value)


def _message(message: DescriptorProto, scope: str) -> Iterator[str]:
    name = f"{scope}.{message.name}"
    yield f"message {name}"
    for field in message.field:
        yield f"  {_field(field, message)}"
    for enum in message.enum_type:
        yield from _enum(enum, name)
    for nested in message.nested_type:
        yield from _message(nested, name)


def _field(field: FieldDescriptorProto, message: DescriptorProto) -> str:
    repeated = "repeated " if field.label == FieldDescriptorProto.LABEL_REPEATED else ""
    kind = field.type_name[1:] or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    oneof = f" oneof={message.oneof_decl[field.oneof_index].name}" if field.HasField("oneof_index") else ""
    first, *rest = field.name.split("_")
    usual = field.json_name in ("", first + "".join(part.capitalize() for part in rest))
    json = "" if usual else f" json={field.json_name}"
    return f"{field.number} {repeated}{kind} {field.name}{oneof}{json}"


def uncommented(file: FileDescriptorProto) -> Iterator[str]:
    """Full names of the messages, fields, oneofs, enums, values, services and calls without a comment."""
    comments = {tuple(at.path): _comment(at) for at in file.source_code_info.location}
    for path, name in _declarations(file):
        if not comments.get(path):
            yield name


def _comment(location: SourceCodeInfo.Location) -> str:
    return f"{location.leading_comments}{location.trailing_comments}".strip()


Place = tuple[int, ...]


def _declarations(file: FileDescriptorProto) -> Iterator[tuple[Place, str]]:
    """Each declaration's path in SourceCodeInfo (field numbers and indices, in turn) and full name."""
    numbers = descriptor_pb2.FileDescriptorProto
    for index, service in enumerate(file.service):
        at: Place = (numbers.SERVICE_FIELD_NUMBER, index)
        yield at, f"{file.package}.{service.name}"
        methods = descriptor_pb2.ServiceDescriptorProto.METHOD_FIELD_NUMBER
        yield from _children(at, methods, service.method, f"{file.package}.{service.name}")
    for index, enum in enumerate(file.enum_type):
        yield from _enum_declarations(enum, (numbers.ENUM_TYPE_FIELD_NUMBER, index), file.package)
    for index, message in enumerate(file.message_type):
        yield from _message_declarations(message, (numbers.MESSAGE_TYPE_FIELD_NUMBER, index), file.package)


def _message_declarations(message: DescriptorProto, at: Place, scope: str) -> Iterator[tuple[Place, str]]:
    name = f"{scope}.{message.name}"
    yield at, name
    yield from _children(at, DescriptorProto.FIELD_FIELD_NUMBER, message.field, name)
    yield from _children(at, DescriptorProto.ONEOF_DECL_FIELD_NUMBER, message.oneof_decl, name)
    for index, enum in enumerate(message.enum_type):
        yield from _enum_declarations(enum, (*at, DescriptorProto.ENUM_TYPE_FIELD_NUMBER, index), name)
    for index, nested in enumerate(message.nested_type):
        yield from _message_declarations(nested, (*at, DescriptorProto.NESTED_TYPE_FIELD_NUMBER, index), name)


def _enum_declarations(enum: EnumDescriptorProto, at: Place, scope: str) -> Iterator[tuple[Place, str]]:
    yield at, f"{scope}.{enum.name}"
    yield from _children(at, EnumDescriptorProto.VALUE_FIELD_NUMBER, enum.value, f"{scope}.{enum.name}")


Named = (
    FieldDescriptorProto
    | MethodDescriptorProto
    | descriptor_pb2.OneofDescriptorProto
    | descriptor_pb2.EnumValueDescriptorProto
)


def _children(at: Place, number: int, children: Sequence[Named], scope: str) -> Iterator[tuple[Place, str]]:
    return (((*at, number, index), f"{scope}.{child.name}") for index, child in enumerate(children))
