"""Writes docs/api/openapi.json from the contracts: paths, fields and comments, as the gateway serves them.

Run by `make openapi`; a test holds that the file is current, and that the running gateway keeps to it.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from google.api import annotations_pb2, http_pb2
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from pydantic import TypeAdapter

from orchestrator.service import compat_json
from scripts.protos import PROTOS, ROOT, compile_image

TARGET = ROOT / "docs" / "api" / "openapi.json"
Schema = dict[str, Any]
Field = FieldDescriptorProto
Path_ = tuple[int, ...]  # of a part within its file, as in SourceCodeInfo
Comments = Mapping[Path_, str]

# JSON forms of proto3's own: https://protobuf.dev/programming-guides/json/
_SCALARS: Mapping[int, Schema] = {
    Field.TYPE_STRING: {"type": "string"},
    Field.TYPE_BOOL: {"type": "boolean"},
    Field.TYPE_INT32: {"type": "integer", "format": "int32"},
    Field.TYPE_INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]+$"},
    Field.TYPE_DOUBLE: {"type": "number", "format": "double"},
}
_WELL_KNOWN: Mapping[str, Schema] = {
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    ".google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?s$"},
    ".google.type.Date": {
        "type": "object",
        "properties": {part: {"type": "integer", "format": "int32"} for part in ("year", "month", "day")},
    },
}
# What CompatService's bodies hold; the messages only say that they are JSON.
_BODIES: Mapping[str, Any] = {
    "StartSync": compat_json.Started,
    "GetSyncStatus": compat_json.SyncJobRow,
    "ListSyncJobs": compat_json.History,
    "ListGames": list[compat_json.Game],
    "GetGame": compat_json.Game,
    "CleanupStuckSyncJobs": compat_json.CleanedUp,
    "FixSpecificSyncJob": compat_json.Fixed,
}
_STATUS: Schema = {
    "type": "object",
    "description": "google.rpc.Status. `details` hold google.rpc.ErrorInfo with a stable `reason`, and "
    "BadRequest by field, QuotaFailure or RetryInfo where they say more.",
    "required": ["code", "message"],
    "properties": {
        "code": {
            "type": "integer",
            "description": "google.rpc.Code, or the HTTP status where Envoy itself refused",
        },
        "message": {"type": "string"},
        "details": {"type": "array", "items": {"type": "object"}},
    },
}
_REFUSALS = {
    "400": "A field is wrong; `details` name it.",
    "401": "No token, or one that is not valid here.",
    "403": "The token's user may not.",
    "404": "Not there, or another user's.",
    "409": "A sync of that platform is running already.",
    "429": "A limit is used up; `details` say which, and when to come back.",
    "503": "Something behind does not answer; try again.",
}


class Contracts:
    """The compiled contracts, by full name (".package.Message.field"), with their comments."""

    def __init__(self, files: Sequence[FileDescriptorProto]) -> None:
        self.messages: dict[str, DescriptorProto] = {}
        self.enums: dict[str, EnumDescriptorProto] = {}
        self.services: list[tuple[str, ServiceDescriptorProto]] = []
        self.comments: dict[str, str] = {}
        for file in files:
            said = {
                tuple(at.path): " ".join(at.leading_comments.split()) for at in file.source_code_info.location
            }
            package = f".{file.package}"
            for number, message in enumerate(file.message_type):
                self._message(package, message, (4, number), said)
            for number, enum in enumerate(file.enum_type):
                self._enum(package, enum, (5, number), said)
            for number, service in enumerate(file.service):
                self.services.append((package, service))
                for at, method in enumerate(service.method):
                    name = f"{package}.{service.name}.{method.name}"
                    self.comments[name] = said.get((6, number, 2, at), "")

    def _message(self, scope: str, message: DescriptorProto, path: Path_, said: Comments) -> None:
        name = f"{scope}.{message.name}"
        self.messages[name] = message
        self.comments[name] = said.get(path, "")
        for at, field in enumerate(message.field):
            self.comments[f"{name}.{field.name}"] = said.get((*path, 2, at), "")
        for at, nested in enumerate(message.nested_type):
            self._message(name, nested, (*path, 3, at), said)
        for at, enum in enumerate(message.enum_type):
            self._enum(name, enum, (*path, 4, at), said)

    def _enum(self, scope: str, enum: EnumDescriptorProto, path: Path_, said: Comments) -> None:
        name = f"{scope}.{enum.name}"
        self.enums[name] = enum
        self.comments[name] = said.get(path, "")


class Document:
    """Grows as paths are added: only the messages that they use are in it."""

    def __init__(self, contracts: Contracts) -> None:
        self._contracts = contracts
        self.paths: dict[str, dict[str, Any]] = {}
        self.schemas: dict[str, Schema] = {"google.rpc.Status": _STATUS}

    def add(self, package: str, service: ServiceDescriptorProto, method: MethodDescriptorProto) -> None:
        rule: http_pb2.HttpRule = method.options.Extensions[annotations_pb2.http]  # type: ignore[index]  # as in test_protos
        verb = rule.WhichOneof("pattern")
        if verb is None:
            return
        path: str = getattr(rule, verb)
        request = self._contracts.messages[method.input_type]
        in_path = re.findall(r"{(\w+)}", path)
        operation: dict[str, Any] = {
            "operationId": f"{service.name}.{method.name}",
            "tags": [service.name],
            "description": self._contracts.comments[f"{package}.{service.name}.{method.name}"],
            "parameters": [*self._parameters(method.input_type, in_path, query=verb == "get")],
            "responses": self._responses(package, method),
        }
        if rule.body:
            rest = [field for field in request.field if field.name not in in_path]
            body = self._object(method.input_type, rest, json_names=package.startswith(".rookify.compat"))
            operation["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
        self.paths.setdefault(path, {})[verb] = operation

    def _parameters(self, owner: str, in_path: list[str], *, query: bool) -> Iterator[Schema]:
        for field in self._contracts.messages[owner].field:
            if field.name in in_path:
                yield self._parameter(owner, field, "path")
            elif query and field.type == Field.TYPE_MESSAGE and field.type_name not in _WELL_KNOWN:
                raise ValueError(f"{field.name}: a message in a query has no one form")
            elif query:
                yield self._parameter(owner, field, "query")

    def _parameter(self, owner: str, field: Field, place: str) -> Schema:
        name, schema = field.name, self._field(owner, field)
        described = {"description": schema.pop("description", "")}
        uuid = {"format": "uuid"} if name.endswith("_id") and place == "path" else {}
        return {"name": name, "in": place, "required": place == "path", **described, "schema": schema | uuid}

    def _responses(self, package: str, method: MethodDescriptorProto) -> dict[str, Any]:
        if package.startswith(".rookify.compat"):
            schema = TypeAdapter(_BODIES[method.name]).json_schema(
                ref_template="#/components/schemas/compat.{model}"
            )
            for name, part in schema.pop("$defs", {}).items():
                self.schemas[f"compat.{name}"] = part
        else:
            schema = self._ref(method.output_type)
        kind = "application/json"
        description = "OK"
        if method.server_streaming:
            kind, schema = "text/event-stream", {"type": "string"}
            description = (
                f"One event `data: {{…}}` for each {method.output_type.rpartition('.')[2]}, as JSON."
            )
            self._ref(method.output_type)
        refused = {"application/json": {"schema": {"$ref": "#/components/schemas/google.rpc.Status"}}}
        return {
            "200": {"description": description, "content": {kind: {"schema": schema}}},
            **{code: {"description": text, "content": refused} for code, text in _REFUSALS.items()},
        }

    def _ref(self, type_name: str) -> Schema:
        if type_name in _WELL_KNOWN:
            return dict(_WELL_KNOWN[type_name])
        name = type_name.lstrip(".")
        if name not in self.schemas:
            self.schemas[name] = {}  # messages may hold themselves
            if type_name in self._contracts.enums:
                enum = self._contracts.enums[type_name]
                schema: Schema = {"type": "string", "enum": [value.name for value in enum.value]}
            else:
                message = self._contracts.messages[type_name]
                schema = self._object(type_name, message.field)
            self.schemas[name] = _described(schema, self._contracts.comments[type_name])
        return {"$ref": f"#/components/schemas/{name}"}

    def _object(self, owner: str, fields: Sequence[Field], *, json_names: bool = False) -> Schema:
        """`json_names`: fromDate for from_date, as clients of the original application write it."""
        properties = {}
        for field in fields:
            old_name = json_names and field.name.endswith("_date")
            properties[field.json_name if old_name else field.name] = self._field(owner, field)
        return {"type": "object", "properties": properties}

    def _field(self, owner: str, field: Field) -> Schema:
        named = field.type in (Field.TYPE_MESSAGE, Field.TYPE_ENUM)
        schema = self._ref(field.type_name) if named else dict(_SCALARS[field.type])
        if field.label == Field.LABEL_REPEATED:
            schema = {"type": "array", "items": schema}
        return _described(schema, self._contracts.comments[f"{owner}.{field.name}"])


def _described(schema: Schema, comment: str) -> Schema:
    return schema | {"description": comment} if comment else schema


def document() -> dict[str, Any]:
    """The OpenAPI document, 3.1."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder, "image.binpb")
        compile_image(PROTOS, image)
        contracts = Contracts(FileDescriptorSet.FromString(image.read_bytes()).file)
    made = Document(contracts)
    for package, service in contracts.services:
        for method in service.method:
            made.add(package, service, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Rookify sync",
            "version": "1",
            "license": {"name": "GPL-3.0-or-later", "identifier": "GPL-3.0-or-later"},
            "description": "As the gateway serves it. `/v1/` is SyncService and SyncAdminService; the other "
            "paths are those of the original application.",
        },
        "security": [{"bearer": []}],
        "paths": dict(sorted(made.paths.items())),
        "components": {
            "schemas": dict(sorted(made.schemas.items())),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def text() -> str:
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text(), encoding="utf-8")
