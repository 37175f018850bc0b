"""Orders as Avro bytes and back, by the schema that producer, bridge and consumer share."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro
from fastavro.types import Schema


class Codec:
    """Raw Avro: one record, without header or length."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema

    @classmethod
    def from_file(cls, path: Path) -> Codec:
        """OSError or ValueError where the file is no Avro schema."""
        try:
            return cls(fastavro.parse_schema(json.loads(path.read_text(encoding="utf-8"))))
        except OSError:
            raise
        except Exception as error:  # fastavro raises its own kinds, and KeyError, for what is not a schema
            raise ValueError(f"{path} is no Avro schema: {error}") from error

    def encode(self, record: dict[str, Any]) -> bytes:
        stream = io.BytesIO()
        fastavro.schemaless_writer(stream, self._schema, record)
        return stream.getvalue()

    def decode(self, payload: bytes) -> dict[str, Any]:
        """ValueError where the payload is not one whole record that fits the schema."""
        stream = io.BytesIO(payload)
        try:
            record = fastavro.schemaless_reader(stream, self._schema, None)
            fastavro.validate(record, self._schema)
        except Exception as error:  # a wrong payload can raise anything while it is decoded
            raise ValueError(f"{type(error).__name__}: {error}") from error
        if stream.tell() != len(payload):
            raise ValueError(f"{len(payload) - stream.tell()} of {len(payload)} bytes are left over")
        assert isinstance(record, dict), "the schema is a record"
        return record
