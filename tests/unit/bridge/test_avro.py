"""Framings and conversions: what is checked is forwarded unchanged, what is converted says so."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import fastavro
import pytest
from pydantic import ValidationError

from kafka_bridge.avro import Codec, build_codec, single_object_mark
from kafka_bridge.topic_config import FormatConfig

V1 = {"type": "record", "name": "R", "fields": [{"name": "id", "type": "string"}, {"name": "n", "type": "int"}]}
V2 = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "n", "type": "long"},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "id", "type": "string"},
    ],
}
MONEY = {
    "type": "record",
    "name": "M",
    "fields": [
        {"name": "amount", "type": {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "what", "type": ["null", {"type": "enum", "name": "W", "symbols": ["A", "B"]}, "string"]},
    ],
}
DATUM = {"id": "a", "n": 5}


@pytest.fixture(name="folder")
def schema_folder(tmp_path: Path) -> Path:
    for name, schema in (("v1.avsc", V1), ("v2.avsc", V2), ("money.avsc", MONEY)):
        (tmp_path / name).write_text(json.dumps(schema))
    return tmp_path


def encode(schema: Any, datum: Any) -> bytes:
    stream = io.BytesIO()
    fastavro.schemaless_writer(stream, fastavro.parse_schema(schema), datum)
    return stream.getvalue()


def decode(schema: Any, payload: bytes | None) -> Any:
    return fastavro.schemaless_reader(io.BytesIO(payload or b""), fastavro.parse_schema(schema), None)


def codec(folder: Path, **fields: Any) -> Codec:
    made = build_codec(FormatConfig.model_validate({"format": "avro", **fields}), str(folder))
    assert made is not None
    return made


def mark(schema: Any) -> bytes:
    return single_object_mark(fastavro.parse_schema(schema))


def test_the_fingerprint_is_avro_s_own() -> None:
    # From the specification's table for the schema "int": 0x7275d51a3f395c8f, written little-endian.
    assert mark("int").hex() == "8f5c393f1ad57572"


def test_bytes_have_no_codec(tmp_path: Path) -> None:
    assert build_codec(FormatConfig(), str(tmp_path)) is None


FRAMED = [
    ({"framing": "raw", "schemaFile": "v1.avsc"}, b""),
    ({"framing": "singleObject", "schemaFile": "v1.avsc"}, b"\xc3\x01" + mark(V1)),
    (
        {"framing": "singleObject", "schemas": [{"schemaFile": "v2.avsc"}, {"schemaFile": "v1.avsc"}]},
        b"\xc3\x01" + mark(V1),
    ),
    ({"framing": "confluent", "schemas": [{"schemaFile": "v1.avsc", "id": 258}]}, b"\x00\x00\x00\x01\x02"),
]


@pytest.mark.parametrize(("fields", "prefix"), FRAMED)
def test_what_fits_is_forwarded_unchanged(folder: Path, fields: dict[str, Any], prefix: bytes) -> None:
    payload = prefix + encode(V1, DATUM)
    check = codec(folder, **fields)
    assert check(payload) is payload
    assert check(None) is None


@pytest.mark.parametrize(("fields", "prefix"), FRAMED)
def test_what_does_not_decode_to_its_end_is_refused(folder: Path, fields: dict[str, Any], prefix: bytes) -> None:
    payload = prefix + encode(V1, DATUM)
    check = codec(folder, **fields)
    with pytest.raises(ValueError, match="do not decode"):
        check(payload[:-1])
    with pytest.raises(ValueError, match=r"1 of [0-9]+ bytes are left over"):
        check(payload + b"\x00")
    with pytest.raises(ValueError, match="do not decode" if not prefix else "bytes that name the schema"):
        check(b"")


@pytest.mark.parametrize(("fields", "prefix"), FRAMED[1:])
def test_another_frame_or_schema_is_named(folder: Path, fields: dict[str, Any], prefix: bytes) -> None:
    check = codec(folder, **fields)
    with pytest.raises(ValueError, match="bytes that name the schema"):
        check(encode(V1, DATUM))
    with pytest.raises(ValueError, match="bytes that name the schema"):
        check(prefix[:-1])
    other = prefix[:-1] + bytes([prefix[-1] ^ 1])
    with pytest.raises(ValueError, match=r"it is written with schema .*, expected one of: "):
        check(other + encode(V1, DATUM))


def test_an_id_is_told_as_a_number(folder: Path) -> None:
    check = codec(folder, framing="confluent", schemas=[{"schemaFile": "v1.avsc", "id": 17}])
    with pytest.raises(ValueError, match="it is written with schema 18, expected one of: 17"):
        check(b"\x00\x00\x00\x00\x12" + encode(V1, DATUM))


@pytest.mark.parametrize(
    ("convertTo", "prefix"),
    [
        ({"schemaFile": "v2.avsc"}, b""),
        ({"schemaFile": "v2.avsc", "framing": "singleObject"}, b"\xc3\x01" + mark(V2)),
        ({"schemaFile": "v2.avsc", "framing": "confluent", "schemaId": 42}, b"\x00\x00\x00\x00\x2a"),
    ],
)
@pytest.mark.parametrize(("fields", "framed"), FRAMED)
def test_a_payload_is_resolved_to_the_wanted_schema(
    folder: Path, fields: dict[str, Any], framed: bytes, convertTo: dict[str, Any], prefix: bytes
) -> None:
    converted = codec(folder, **fields, convertTo=convertTo)(framed + encode(V1, DATUM))
    assert converted == prefix + encode(V2, {"n": 5, "note": None, "id": "a"})


def test_conversion_keeps_logical_types_and_branches_of_unions(folder: Path) -> None:
    convert = codec(folder, schemaFile="money.avsc", convertTo={"schemaFile": "money.avsc"})
    for what in (None, "B", "text"):
        payload = encode(MONEY, {"amount": b"\x01\x02", "at": 1_700_000_000_123, "what": what})
        assert convert(payload) == payload
    assert convert(None) is None


def test_what_cannot_be_resolved_is_refused(folder: Path) -> None:
    convert = codec(folder, schemaFile="v1.avsc", convertTo={"schemaFile": "money.avsc"})
    with pytest.raises(ValueError, match="do not decode: SchemaResolutionError"):
        convert(encode(V1, DATUM))


def test_a_check_reads_logical_types_as_what_they_are_stored_as(folder: Path) -> None:
    # A time that no calendar has still decodes: it is for whoever reads it to interpret.
    payload = encode(MONEY, {"amount": b"\x01", "at": 2**62, "what": None})
    assert codec(folder, schemaFile="money.avsc")(payload) is payload


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"format": "bytes", "schemaFile": "v1.avsc"}, "found schemaFile with format bytes"),
        ({"format": "bytes", "framing": "confluent"}, "found framing with format bytes"),
        ({"format": "bytes", "convertTo": {"schemaFile": "v2.avsc"}}, "found convertTo with format bytes"),
        ({}, "found format avro without schemaFile, expected a schemaFile beside it"),
        ({"schemas": [{"schemaFile": "v1.avsc"}], "schemaFile": "v1.avsc"}, "found schemas beside schemaFile"),
        ({"schemaFile": None, "schemas": [{"schemaFile": "v1.avsc"}]}, "format avro without schemaFile"),
        ({"framing": "confluent"}, "found framing confluent without schemas"),
        ({"framing": "confluent", "schemas": [{"schemaFile": "v1.avsc"}]}, "found a schema without id"),
        (
            {"framing": "confluent", "schemas": [{"schemaFile": "a", "id": 1}, {"schemaFile": "b", "id": 1}]},
            "found id 1 again",
        ),
        ({"framing": "singleObject", "schemas": [{"schemaFile": "v1.avsc", "id": 1}]}, "found id with framing"),
        ({"schemaFile": "a", "convertTo": {"schemaFile": "b", "framing": "confluent"}}, "confluent without schemaId"),
        ({"schemaFile": "a", "convertTo": {"schemaFile": "b", "schemaId": 3}}, "found schemaId with framing raw"),
    ],
)
def test_what_does_not_go_together_is_refused(fields: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        FormatConfig.model_validate({"format": "avro", **fields})
