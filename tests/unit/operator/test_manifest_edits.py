"""Changes to the text of manifests: what is meant changes, and nothing beside it."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_operator.manifest_edits import (
    Identity,
    add_to_spec,
    bare,
    parts_of,
    set_in_spec,
    with_change,
    with_document,
    without_document,
)
from support.project_files import PROJECT_ROOT

ORDERS = Identity("KafkaBridge", "orders")
SOURCE = Identity("KafkaCluster", "source")
TEXT = (PROJECT_ROOT / "manifests/bridges/orders.yaml").read_text()
CLUSTER = (PROJECT_ROOT / "manifests/clusters/source.yaml").read_text()
BOTH = f"{CLUSTER}---\n{TEXT}"
AWKWARD = """\
# before all
---
apiVersion: bridge.kafka/v1alpha1
kind: KafkaBridge
metadata: {name: "orders"}     # quoted
spec:
  # about the source
  source: {cluster: source}
  target:
    cluster: 'target'          # single quotes
  topics:
  - name: orders
    value: {format: avro, framing: raw, schemaFile: schema.avsc}
  - pattern: plant\\.(.*)      # a regular expression
    exclude: [.*\\.test, "x: y"]
  commitIntervalMs: 0x100
  startFrom: 2026-11-24T10:00:00Z
  # the last remark of the spec

# the end
...
"""


def changed_lines(before: str, after: str) -> list[str]:
    lines = difflib.ndiff(before.splitlines(), after.splitlines())
    return [line for line in lines if line[0] in "+-"]


@pytest.mark.parametrize("text", [TEXT, BOTH, AWKWARD, TEXT.replace("\n", "\r\n")])
def test_a_field_is_added_and_nothing_else_changes(text: str) -> None:
    after = with_change(text, ORDERS, set_in_spec("paused", True))
    assert changed_lines(text, after) == ["+   paused: true"]
    assert after.count("\r\n") == (after.count("\n") if "\r\n" in text else 0)
    again = with_change(after, ORDERS, set_in_spec("paused", False))
    assert changed_lines(after, again) == ["-   paused: true", "+   paused: false"]


@pytest.mark.parametrize("value", [True, None])
def test_what_is_so_already_leaves_the_text_alone(value: object) -> None:
    text = AWKWARD.replace("spec:\n", "spec:\n  paused:   true   # as it was written\n")
    change = set_in_spec("paused", True) if value else set_in_spec("suspend", False, default=False)
    assert with_change(text, ORDERS, change) == text


def test_the_newest_request_comes_first() -> None:
    once = with_change(AWKWARD, ORDERS, add_to_spec("rewind", {"id": "a", "to": "earliest"}))
    assert changed_lines(AWKWARD, once) == ["+   rewind:", "+   - {id: a, to: earliest}"]
    twice = with_change(once, ORDERS, add_to_spec("rewind", {"id": "b", "topic": "orders", "partition": 3, "to": 7}))
    assert changed_lines(once, twice) == ["+   - {id: b, topic: orders, partition: 3, to: 7}"]
    inFlow = AWKWARD.replace("spec:\n", "spec:\n  rewind: []\n")
    assert "id: a" in with_change(inFlow, ORDERS, add_to_spec("rewind", {"id": "a", "to": "earliest"}))


def test_a_document_takes_its_namesakes_place() -> None:
    after = with_document(BOTH, ORDERS, "---\nkind: KafkaBridge\nmetadata: {name: orders}\n\n\n")
    assert after == f"{CLUSTER}---\nkind: KafkaBridge\nmetadata: {{name: orders}}\n"
    assert [part.identity for part in parts_of(after)] == [SOURCE, ORDERS]


def test_a_document_is_taken_out_and_its_neighbours_stay() -> None:
    assert without_document(BOTH, ORDERS) == CLUSTER
    assert without_document(BOTH, SOURCE) == f"---\n{TEXT}"
    assert without_document(AWKWARD, ORDERS) == "", "remarks alone are no reason to keep a file"
    with pytest.raises(KeyError):
        without_document(CLUSTER, ORDERS)


names = st.sampled_from(["orders", "payments", "plant-1"])


@settings(max_examples=40, deadline=None)
@given(st.lists(names, min_size=1, max_size=6, unique=True), st.data())
def test_of_many_documents_one_is_changed(found: list[str], data: st.DataObject) -> None:
    markers = [data.draw(st.sampled_from(["---\n", "--- # next\n", "# remark\n---\n"])) for _ in found]
    texts = [
        f"{marker}{TEXT.replace('name: orders', f'name: {name}', 1)}"
        for marker, name in zip(markers, found, strict=True)
    ]
    whole = "".join(texts)
    chosen = data.draw(st.sampled_from(found))
    after = with_change(whole, Identity("KafkaBridge", chosen), set_in_spec("paused", True))
    before = {part.identity.name: bare(part.text) for part in parts_of(whole)}
    for part in parts_of(after):
        if part.identity.name == chosen:
            assert "  paused: true\n" in part.text
        else:
            assert bare(part.text) == before[part.identity.name]
