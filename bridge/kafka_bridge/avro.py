"""Checks of keys and values against an Avro schema: the only module that knows fastavro."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import fastavro
from fastavro.types import Schema

from kafka_bridge.config import FormatConfig
from kafka_bridge.errors import TerminalError

# Takes a key or a value; raises ValueError with a sentence where it is not what it should be.
Check = Callable[[bytes | None], None]


def build_check(wanted: FormatConfig, schemaFolder: str) -> Check | None:
    """The check for a format; None for `bytes`, which nothing can fail. TerminalError where the schema is unusable."""
    if wanted.format == "bytes" or wanted.schemaFile is None:
        return None
    return check_against(load_schema(Path(schemaFolder) / wanted.schemaFile))


def load_schema(path: Path) -> Schema:
    """A parsed schema from a file; TerminalError SchemaNotFound or SchemaInvalid."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TerminalError("SchemaNotFound", f"schema {path} cannot be read: {error.strerror}") from error
    try:
        return fastavro.parse_schema(json.loads(text))
    except Exception as error:  # fastavro raises its own kinds, and KeyError, for what is not a schema
        raise TerminalError("SchemaInvalid", f"schema {path} is no Avro schema: {error}") from error


def check_against(schema: Schema) -> Check:
    """A check that decodes the whole payload. Null passes: it is a tombstone, and no payload to check."""

    def check(payload: bytes | None) -> None:
        if payload is None:
            return
        stream = io.BytesIO(payload)
        try:
            fastavro.schemaless_reader(stream, schema, None)
        except Exception as error:  # any payload can raise anything while it is decoded
            raise ValueError(f"{len(payload)} bytes do not decode: {type(error).__name__}: {error}") from error
        rest = len(payload) - stream.tell()
        if rest:
            raise ValueError(f"{rest} of {len(payload)} bytes are left over after decoding")

    return check
