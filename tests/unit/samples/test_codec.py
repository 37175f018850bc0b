"""The codec: one whole record that fits the schema, or a sentence why not."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import pytest
from bridge_samples.codec import Codec
from orders import generate_orders

from support.stack import PROJECT_ROOT

CODEC = Codec.from_file(PROJECT_ROOT / "stack" / "avro" / "schema.avsc")
VALID = CODEC.encode(next(iter(islice(generate_orders("run", 1, 3), 1)))[1])
SMALL = '{"type": "record", "name": "R", "fields": [{"name": "n", "type": "int"}]}'


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "EOFError"),
        (VALID[:-1], "Error"),
        (VALID[:20], "EOFError"),
        (VALID + b"\x00", f"1 of {len(VALID) + 1} bytes are left over"),
        (b"text that is no order at all", "Error"),
    ],
    ids=["nothing", "all but the end", "a beginning", "and a byte", "text"],
)
def test_what_is_no_whole_order_is_refused(payload: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        CODEC.decode(payload)


def test_values_out_of_range_are_refused(tmp_path: Path) -> None:
    (tmp_path / "small.avsc").write_text(SMALL)
    codec = Codec.from_file(tmp_path / "small.avsc")
    assert codec.decode(b"\x02") == {"n": 1}
    with pytest.raises(ValueError, match="n"):
        codec.decode(b"\xff\xff\xff\xff\xff\x01")


@pytest.mark.parametrize("text", ["{", "", '{"type": "recrd"}', '{"type": "record"}', '"unknown"', "5", "\udcff"])
def test_a_file_that_is_no_schema_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "some.avsc"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ValueError, match=r"some\.avsc is no Avro schema"):
        Codec.from_file(path)


def test_a_missing_schema_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"absent\.avsc"):
        Codec.from_file(tmp_path / "absent.avsc")
