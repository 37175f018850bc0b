"""Checks and conversions of keys and values by Avro schemas: the only module that knows fastavro.

Framings: `raw` is the datum alone. `singleObject` is Avro's own: C3 01, the CRC-64-AVRO fingerprint of the writer's
schema in its parsing canonical form, little-endian, and the datum. `confluent` is a zero byte, the id that a schema
registry gave, big-endian in four bytes, and the datum.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form
from fastavro.types import Schema

from kafka_bridge.errors import TerminalError
from kafka_bridge.topic_config import Conversion, FormatConfig

# Takes a key or a value and gives what is forwarded; raises ValueError with a sentence where it is not what it should
# be. None passes: it is a tombstone, or a record without a key, and no payload to check.
Codec = Callable[[bytes | None], bytes | None]

SINGLE_OBJECT_MAGIC = b"\xc3\x01"
CONFLUENT_MAGIC = b"\x00"
_FRAMES = {"raw": (b"", 0), "singleObject": (SINGLE_OBJECT_MAGIC, 8), "confluent": (CONFLUENT_MAGIC, 4)}


def build_codec(wanted: FormatConfig, schemaFolder: str) -> Codec | None:
    """The codec for a format; None for `bytes`, which nothing can fail. TerminalError where a schema is unusable."""
    if wanted.format == "bytes":
        return None
    folder = Path(schemaFolder)
    schemas = _schemas_by_mark(wanted, folder)
    if wanted.convertTo is None:
        return _check_codec(wanted.framing, {mark: _without_logical_types(one) for mark, one in schemas.items()})
    return _convert_codec(wanted.framing, schemas, wanted.convertTo, folder)


def load_schema(path: Path) -> Schema:
    """A parsed schema from a file; TerminalError SchemaNotFound or SchemaInvalid."""
    return _parse(_read_json(path), path)


def single_object_mark(schema: Schema) -> bytes:
    """The eight bytes by which single-object encoding names a schema."""
    return bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO"))


def _schemas_by_mark(wanted: FormatConfig, folder: Path) -> dict[bytes, Schema]:
    """The schemas that payloads may be written with, by what the framing carries to name them."""
    if wanted.framing == "confluent":
        return {(one.id or 0).to_bytes(4, "big"): load_schema(folder / one.schemaFile) for one in wanted.schemas}
    files = [file for file in (wanted.schemaFile, *(one.schemaFile for one in wanted.schemas)) if file is not None]
    schemas = [load_schema(folder / file) for file in files]
    if wanted.framing == "raw":
        return {b"": schemas[0]}
    return {single_object_mark(schema): schema for schema in schemas}


def _check_codec(framing: str, schemas: Mapping[bytes, Schema]) -> Codec:
    """Decodes the whole payload and forwards it as it is."""
    magic, markLength = _FRAMES[framing]
    start = len(magic) + markLength
    raw = schemas.get(b"")
    read, stream = fastavro.schemaless_reader, io.BytesIO

    def check(payload: bytes | None) -> bytes | None:
        if payload is None:
            return None
        schema = raw if raw is not None else _schema_of(payload, magic, start, schemas)
        body = stream(payload)
        body.seek(start)
        try:
            read(body, schema, None)
        except Exception as error:  # any payload can raise anything while it is decoded
            raise _undecodable(payload, error) from error
        if body.tell() != len(payload):
            raise _left_over(payload, body.tell())
        return payload

    return check


def _convert_codec(framing: str, schemas: Mapping[bytes, Schema], conversion: Conversion, folder: Path) -> Codec:
    """Decodes the payload, resolves it to the wanted schema and encodes it anew."""
    magic, markLength = _FRAMES[framing]
    start = len(magic) + markLength
    reader = load_schema(folder / conversion.schemaFile)
    prefix = _prefix(conversion, reader)
    # Logical types are for programs: between two encodings their plain values carry everything.
    plainReader = _without_logical_types(reader)
    plain = {mark: _without_logical_types(schema) for mark, schema in schemas.items()}

    def convert(payload: bytes | None) -> bytes | None:
        if payload is None:
            return None
        schema = _schema_of(payload, magic, start, plain)
        body = io.BytesIO(payload)
        body.seek(start)
        try:
            datum = fastavro.schemaless_reader(body, schema, plainReader, return_named_type=True)
        except Exception as error:
            raise _undecodable(payload, error) from error
        if body.tell() != len(payload):
            raise _left_over(payload, body.tell())
        out = io.BytesIO()
        out.write(prefix)
        try:
            fastavro.schemaless_writer(out, plainReader, datum)
        except Exception as error:
            raise ValueError(f"it does not fit {conversion.schemaFile}: {type(error).__name__}: {error}") from error
        return out.getvalue()

    return convert


def _schema_of(payload: bytes, magic: bytes, start: int, schemas: Mapping[bytes, Schema]) -> Schema:
    mark = payload[len(magic) : start]
    if not payload.startswith(magic) or len(mark) != start - len(magic):
        begins = f"{len(payload)} bytes begin with {payload[:start].hex() or 'nothing'}"
        raise ValueError(f"{begins}, expected {magic.hex()} and {start - len(magic)} bytes that name the schema")
    schema = schemas.get(mark)
    if schema is None:
        known = ", ".join(sorted(map(_mark_text, schemas)))
        raise ValueError(f"it is written with schema {_mark_text(mark)}, expected one of: {known}")
    return schema


def _mark_text(mark: bytes) -> str:
    """A registry's id as a number, a fingerprint in hexadecimal."""
    return str(int.from_bytes(mark, "big")) if len(mark) == 4 else mark.hex()


def _prefix(conversion: Conversion, schema: Schema) -> bytes:
    if conversion.framing == "singleObject":
        return SINGLE_OBJECT_MAGIC + single_object_mark(schema)
    if conversion.framing == "confluent":
        return CONFLUENT_MAGIC + (conversion.schemaId or 0).to_bytes(4, "big")
    return b""


def _undecodable(payload: bytes, error: Exception) -> ValueError:
    return ValueError(f"{len(payload)} bytes do not decode: {type(error).__name__}: {error}")


def _left_over(payload: bytes, reached: int) -> ValueError:
    return ValueError(f"{len(payload) - reached} of {len(payload)} bytes are left over after decoding")


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TerminalError("SchemaNotFound", f"schema {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise TerminalError("SchemaInvalid", f"schema {path} is no JSON: {error}") from error


def _parse(definition: Any, where: Path | str) -> Schema:
    try:
        return fastavro.parse_schema(definition)
    except Exception as error:  # fastavro raises its own kinds, and KeyError, for what is not a schema
        raise TerminalError("SchemaInvalid", f"schema {where} is no Avro schema: {error}") from error


def _without_logical_types(schema: Schema) -> Schema:
    """The same encoding, read as plain numbers and bytes: making decimals and times of them doubles the cost."""
    return fastavro.parse_schema(_plain(schema))


def _plain(node: Any) -> Any:
    if isinstance(node, list):
        return [_plain(one) for one in node]
    if isinstance(node, dict):
        dropped = ("logicalType", "precision", "scale", "__fastavro_parsed__", "__named_schemas")
        return {
            name: value if name in ("default", "symbols", "aliases") else _plain(value)
            for name, value in node.items()
            if name not in dropped
        }
    return node
