"""Manifests as users write them: every mistake is told with its place, and none disturbs its neighbours."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge_operator.catalog import Catalog, Problem
from bridge_operator.manifest_files import MAX_BYTES
from bridge_operator.manifests import load_file, load_folder

ROOT = Path(__file__).parents[3]

BRIDGE = """\
apiVersion: bridge.kafka/v1alpha1
kind: KafkaBridge
metadata:
  name: orders
spec:
  source: {cluster: source}
  target: {cluster: target}
  topics:
    - name: orders
      value: {format: avro, schemaFile: schema.avsc}
  replicas: 1
  lanes: 6
"""
CLUSTER = """\
apiVersion: bridge.kafka/v1alpha1
kind: KafkaCluster
metadata:
  name: source
spec:
  bootstrapServers: source-kafka:9093
  network: network1
  tls: {secret: tls-bridge-source}
"""
TARGET = CLUSTER.replace("name: source", "name: target")
SCHEMA = '{"type": "record", "name": "Order", "fields": []}'


@dataclass(frozen=True)
class Slip:
    """One mistake: `old` in `text` becomes `new`, and this is what must be told of it."""

    old: str
    new: str
    line: int
    column: int
    fieldPath: str
    words: tuple[str, ...]
    reason: str = "InvalidManifest"
    text: str = BRIDGE

    def __str__(self) -> str:
        return f"{self.old.strip()[:20]!r} to {self.new.strip()[:30]!r}"


def cluster(old: str, new: str, line: int, column: int, fieldPath: str, *words: str) -> Slip:
    return Slip(old, new, line, column, fieldPath, words, text=CLUSTER)


SLIPS = [
    *(
        Slip("  lanes: 6", f"  rewind: [{{id: a, topic: orders, to: {to}}}]", 12, 39, "spec.rewind[0].to", words)
        for to, words in (
            ("soon", ("'soon'", "an offset, earliest, latest or a point in time")),
            ("-1", ("the number -1", "an offset, earliest")),
            ("[1]", ("a list of 1", "an offset, earliest")),
            ("{a: 1}", ("a mapping", "an offset, earliest")),
        )
    ),
    # The YAML itself.
    Slip("  lanes: 6", "\tlanes: 6", 12, 1, "", ("a tab", "spaces")),
    Slip("replicas: 1", "replicas: [1", 12, 8, "", ("': 6'", "']'", "line 11")),
    Slip("lanes: 6", "lanes: [6", 12, 10, "", ("never finished", "']'", "line 12")),
    Slip("lanes: 6", "lanes: [", 12, 11, "", ("the end", "a value")),
    Slip("{cluster: target}", "{cluster: target", 8, 9, "", ("':'", "'}'", "line 7")),
    Slip("  lanes: 6", "   lanes: 6", 12, 9, "", ("one field to a line",)),
    Slip("  lanes: 6", " lanes: 6", 12, 2, "", ("'lanes: 6'", "same indentation", "line 1")),
    Slip("replicas: 1", "replicas: 'one", 11, 13, "", ("never closed", "closing quote")),
    Slip("replicas: 1", "replicas: @one", 11, 13, "", ("'@'", "in quotes")),
    Slip("replicas: 1", 'replicas: "\\q"', 11, 15, "", ("escape",)),
    Slip("replicas: 1", "replicas: a: b", 11, 14, "", ("': b'", "': ' in quotes")),
    Slip("replicas: 1", "replicas", 11, 3, "", ("'replicas'", "field: value")),
    Slip("replicas: 1", "replicas: *one", 11, 13, "", ("*one", "anchor")),
    Slip("replicas: 1", "replicas: !!int 1", 11, 13, "spec.replicas", ("'!!int'", "without a tag")),
    Slip("replicas: 1", "replicas: 1\n  replicas: 2", 12, 3, "spec.replicas", ("second time", "line 11")),
    Slip("replicas: 1", "? [a]\n  : 1", 11, 5, "", ("a list of 1", "a name")),
    Slip("replicas: 1", "replicas: \x00", 11, 13, "", ("NUL", "UTF-8")),
    Slip("replicas: 1", "replicas: \x07", 11, 13, "", ("U+0007", "printable")),
    Slip("replicas: 1", "replicas: \udcff", 11, 13, "", ("0xff", "UTF-8")),
    Slip("replicas: 1", "<<: 1", 11, 3, "spec['<<']", ("a number", "a mapping to take fields from")),
    Slip(BRIDGE, "- a\n- b\n", 1, 1, "", ("a list of 2", "a mapping with apiVersion")),
    Slip(BRIDGE, "{a: 1} more\n", 1, 8, "", ("'more'", "one mapping in each document")),
    Slip(BRIDGE, "text\n", 1, 1, "", ("'text'", "a mapping with apiVersion")),
    # Which kind.
    Slip("KafkaBridge", "KafkaBrigde", 2, 7, "kind", ("'KafkaBrigde'", "did you mean KafkaBridge"), "UnknownKind"),
    Slip("kind: KafkaBridge\n", "", 1, 1, "kind", ("no kind", "KafkaBridge, KafkaCluster"), "UnknownKind"),
    Slip("v1alpha1", "v2", 1, 13, "apiVersion", ("bridge.kafka/v2", "bridge.kafka/v1alpha1"), "UnknownKind"),
    Slip("apiVersion: bridge.kafka/v1alpha1\n", "", 1, 1, "apiVersion", ("no apiVersion",), "UnknownKind"),
    # Fields and values.
    Slip("  name: orders\nspec", "  nam: orders\nspec", 4, 3, "metadata.nam", ("'nam'", "did you mean name")),
    Slip("  name: orders\nspec", "  name: Orders\nspec", 4, 9, "metadata.name", ("'Orders'", "lower-case")),
    Slip("  name: orders\nspec", "  name: 007\nspec", 4, 9, "metadata.name", ("number 007", "in quotes")),
    Slip("  name: orders\nspec", "  name: true\nspec", 4, 9, "metadata.name", ("found true", "in quotes")),
    Slip("  name: orders\nspec", f"  name: {'a' * 41}\nspec", 4, 9, "metadata.name", ("'aaaa", "at most 40")),
    Slip("metadata:\n  name: orders", "metadata:", 3, 1, "metadata", ("nothing", "a mapping with name")),
    Slip("metadata:\n  name: orders", "metadata: {}", 3, 1, "metadata.name", ("no name", "the field name")),
    Slip("lanes: 6", "lanez: 6", 12, 3, "spec.lanez", ("'lanez'", "did you mean lanes")),
    Slip("lanes: 6", "lanes: 65", 12, 10, "spec.lanes", ("number 65", "a whole number from 1 to 64")),
    Slip("lanes: 6", 'lanes: "6"', 12, 10, "spec.lanes", ("'6' in quotes", "a whole number from 1 to 64")),
    Slip("lanes: 6", "lanes: 1.5", 12, 10, "spec.lanes", ("number 1.5", "a whole number from 1 to 64")),
    Slip("lanes: 6", "lanes:", 12, 3, "spec.lanes", ("nothing", "a whole number")),
    Slip("replicas: 1", "replicas: true", 11, 13, "spec.replicas", ("true", "a whole number from 0 to 64")),
    Slip("replicas: 1", "replicas: -1", 11, 13, "spec.replicas", ("number -1", "from 0 to 64")),
    Slip("replicas: 1", "replicas: 7", 11, 13, "spec.replicas", ("replicas 7", "lanes (6)")),
    Slip("replicas: 1", "suspend: maybe", 11, 12, "spec.suspend", ("'maybe'", "true or false")),
    Slip(
        "replicas: 1", "startFrom: middle", 11, 14, "spec.startFrom", ("middle", "earliest, latest or a point in time")
    ),
    Slip("replicas: 1", "resources: {memory: 1GB}", 11, 23, "spec.resources.memory", ("'1GB'", "512Mi")),
    Slip("replicas: 1", "resources: {cpus: two}", 11, 21, "spec.resources.cpus", ("'two'", "500m")),
    Slip("replicas: 1", "resources: 1Gi", 11, 14, "spec.resources", ("'1Gi'", "a mapping with memory, cpus, pids")),
    Slip("cluster: target", "cluster: source", 7, 21, "spec.target.cluster", ("source", "another cluster")),
    Slip("  target: {cluster: target}\n", "", 5, 1, "spec.target", ("no target", "a mapping with cluster")),
    Slip("{cluster: target}", "target", 7, 11, "spec.target", ("'target'", "a mapping with cluster")),
    Slip("avro", "arvo", 10, 23, "spec.topics[0].value.format", ("'arvo'", "one of: bytes, avro")),
    Slip("avro", "bytes", 10, 42, "spec.topics[0].value.schemaFile", ("format bytes", "format: avro")),
    Slip(", schemaFile: schema.avsc", "", 10, 23, "spec.topics[0].value.format", ("without schemaFile",)),
    Slip("schema.avsc", "../x", 10, 41, "spec.topics[0].value.schemaFile", ("'../x'", "without a folder")),
    Slip("- name: orders", "- name: or ders", 9, 13, "spec.topics[0].name", ("'or ders'", "a topic name")),
    Slip("- name: orders", "- nam: orders", 9, 7, "spec.topics[0].nam", ("did you mean name",)),
    Slip("  replicas", "    - name: orders\n  replicas", 11, 13, "spec.topics[1].name", ("source topic orders again",)),
    Slip(
        "  replicas",
        "    - {name: a, targetName: orders}\n  replicas",
        11,
        29,
        "spec.topics[1].targetName",
        ("target topic orders again", "once"),
    ),
    cluster("source-kafka:9093", "source-kafka", 6, 21, "spec.bootstrapServers", "'source-kafka'", "host:port"),
    cluster("source-kafka:9093", "[a:1]", 6, 21, "spec.bootstrapServers", "a list of 1", "host:port"),
    cluster("network1", "net_1", 7, 12, "spec.network", "'net_1'", "lower-case"),
    cluster("{secret: tls-bridge-source}", "", 8, 3, "spec.tls", "nothing", "a mapping with secret"),
    cluster(
        "  network",
        "  clientProperties: {bach.size: 5}\n  network",
        7,
        22,
        "spec.clientProperties['bach.size']",
        "bach.size",
        "did you mean batch.size",
    ),
    cluster(
        "  network",
        "  clientProperties:\n    plugin.library.paths: x\n  network",
        8,
        5,
        "spec.clientProperties['plugin.library.paths']",
        "cannot be set",
        "linger.ms",
    ),
    cluster(
        "  network",
        "  clientProperties:\n    linger.ms: [5]\n  network",
        8,
        16,
        "spec.clientProperties['linger.ms']",
        "a list of 1",
        "a number, true, false or text",
    ),
]


def load_text(folder: Path, text: str) -> Catalog:
    file = folder / "x.yaml"
    file.write_bytes(text.encode("utf-8", errors="surrogateescape"))
    return load_file(file)


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def only(catalog: Catalog) -> Problem:
    assert len(catalog.problems) == 1, catalog.problems
    return catalog.problems[0]


@pytest.fixture(name="folder")
def folder_of_good_manifests(tmp_path: Path) -> Path:
    folder = tmp_path / "manifests"
    write(folder, {"bridges/orders.yaml": BRIDGE, "clusters/both.yml": f"{CLUSTER}---\n{TARGET}"})
    return folder


@pytest.fixture(name="schemas")
def folder_of_schemas(tmp_path: Path) -> Path:
    write(tmp_path / "schemas", {"schema.avsc": SCHEMA})
    return tmp_path / "schemas"


@pytest.mark.parametrize("slip", SLIPS, ids=str)
def test_a_slip_is_told_with_its_place(slip: Slip, tmp_path: Path) -> None:
    assert slip.text.count(slip.old) >= 1
    catalog = load_text(tmp_path, slip.text.replace(slip.old, slip.new, 1))
    told = [
        one
        for one in catalog.problems
        if (one.line, one.column, one.fieldPath) == (slip.line, slip.column, slip.fieldPath)
    ]
    assert told, [str(problem) for problem in catalog.problems]
    text = f"found {told[0].found}, expected {told[0].expected}"
    assert [word for word in slip.words if word not in text] == [], text
    assert told[0].reason == slip.reason
    assert told[0].file == str(tmp_path / "x.yaml")
    assert not catalog.bridges
    assert not catalog.clusters


def test_all_mistakes_are_told_at_once_and_in_order(tmp_path: Path) -> None:
    text = BRIDGE.replace("name: orders", "nam: orders").replace("lanes: 6", "lanes: 0").replace("avro", "arvo")
    catalog = load_text(tmp_path, f"a: [\n---\n{text}---\n{CLUSTER}")
    assert [(one.line, one.fieldPath) for one in catalog.problems] == [
        (1, ""),
        (5, "metadata.name"),
        (6, "metadata.nam"),
        (11, "spec.topics[0].nam"),
        (12, "spec.topics[0].value.format"),
        (14, "spec.lanes"),
    ]
    assert set(catalog.clusters) == {"source"}


@pytest.mark.parametrize("text", [BRIDGE.replace("lanes: 6", "lanes: [6"), BRIDGE.replace("lanes: 6", "lanes: six")])
def test_a_broken_bridge_is_still_known_by_its_name(text: str, tmp_path: Path) -> None:
    problem = only(load_text(tmp_path, text))
    assert (problem.kind, problem.name) == ("KafkaBridge", "orders")


@pytest.mark.parametrize(
    "metadata",
    [
        "metadata: {name: orders}",
        "metadata: {labels: {a: b}, name: 'orders'}",
        'metadata:\n  labels:\n    name: other\n  name: "orders" # mine',
        "metadata:\n\n    name: orders",
    ],
)
def test_the_name_of_what_cannot_be_parsed_is_guessed(metadata: str, tmp_path: Path) -> None:
    problem = only(load_text(tmp_path, f"kind: KafkaBridge\n{metadata}\nspec: [\n"))
    assert (problem.kind, problem.name) == ("KafkaBridge", "orders")


@pytest.mark.parametrize("name", ["Orders", "7", "", "{}", "a b"])
def test_a_name_that_is_wrong_itself_names_nobody(name: str, tmp_path: Path) -> None:
    catalog = load_text(tmp_path, BRIDGE.replace("name: orders", f"name: {name}", 1))
    assert {problem.name for problem in catalog.problems} == {""}


def test_a_kind_that_is_wrong_could_be_any(tmp_path: Path) -> None:
    problem = only(load_text(tmp_path, BRIDGE.replace("KafkaBridge", "KafkaBrigde")))
    assert (problem.kind, problem.name) == ("", "orders")


def test_the_manifests_of_this_repository_are_good() -> None:
    catalog = load_folder(ROOT / "manifests", ROOT / "stack" / "avro")
    assert (catalog.problems, catalog.folderFault) == ((), "")
    assert set(catalog.bridges) == {"orders"}
    assert set(catalog.clusters) == {"source", "target"}


@pytest.mark.parametrize(
    "text",
    [
        BRIDGE.replace("\n", "\r\n"),
        f"\ufeff{BRIDGE}",
        f"%YAML 1.2\n---\n{BRIDGE}...\n",
        f"# a remark\n---\n---\n\n--- # another\n{BRIDGE}---\n",
        BRIDGE.replace("lanes: 6", "lanes: 6\n  suspend: yes\n  resources: {cpus: 2, memory: 1Gi}"),
        BRIDGE.replace("value: {", "key: &avro {").replace("  replicas", "      value: *avro\n  replicas"),
        BRIDGE.replace("- name", "- &first\n      name").replace(
            "  replicas", "    - {<<: *first, name: b}\n  replicas"
        ),
    ],
    ids=["crlf", "bom", "directive", "empty documents", "plain values", "alias", "merge"],
)
def test_other_ways_to_write_it_are_good(text: str, tmp_path: Path) -> None:
    catalog = load_text(tmp_path, text)
    assert catalog.problems == ()
    assert set(catalog.bridges) == {"orders"}


def test_merged_fields_yield_to_written_ones(tmp_path: Path) -> None:
    text = BRIDGE.replace("- name", "- &first\n      name").replace(
        "  replicas", "    - {<<: *first, name: b}\n  replicas"
    )
    first, second = load_text(tmp_path, text).bridges["orders"].spec.topics
    assert (second.name, second.value) == ("b", first.value)


def test_client_properties_may_be_numbers_and_booleans(tmp_path: Path) -> None:
    text = CLUSTER + "  clientProperties: {linger.ms: 5, socket.keepalive.enable: true, compression.type: zstd}\n"
    assert load_text(tmp_path, text).clusters["source"].spec.clientProperties == {
        "linger.ms": "5",
        "socket.keepalive.enable": "true",
        "compression.type": "zstd",
    }


def test_a_text_is_shortened_in_messages(tmp_path: Path) -> None:
    problem = only(load_text(tmp_path, BRIDGE.replace("avro", "a" * 5_000)))
    assert len(problem.found) <= 60


# The folder.


def test_a_folder_is_read_to_its_depth(folder: Path, schemas: Path) -> None:
    catalog = load_folder(folder, schemas)
    assert (set(catalog.bridges), set(catalog.clusters)) == ({"orders"}, {"source", "target"})
    assert (catalog.problems, catalog.folderFault) == ((), "")


@pytest.mark.parametrize(
    "name", [".orders.yaml.swp", ".hidden.yaml", "orders.yaml~", "#orders.yaml#", "4913", "notes.txt", ".git/x.yaml"]
)
def test_what_editors_leave_is_not_read(name: str, folder: Path) -> None:
    write(folder, {name: "a: ["})
    assert load_folder(folder, None).problems == ()


def test_folder_faults(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text(BRIDGE)
    empty = tmp_path / "empty"
    write(empty, {"only-remarks.yaml": "# nothing yet\n---\n"})
    assert "does not exist" in load_folder(tmp_path / "none", None).folderFault
    assert "is a file" in load_folder(file, None).folderFault
    assert "holds no manifest" in load_folder(empty, None).folderFault


def test_a_folder_of_broken_manifests_is_not_an_empty_one(tmp_path: Path) -> None:
    write(tmp_path, {"orders.yaml": "a: ["})
    catalog = load_folder(tmp_path, None)
    assert catalog.folderFault == ""
    assert only(catalog).file == "orders.yaml"


def test_a_mount_made_of_links_is_read_once(folder: Path, tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    mount.mkdir()
    folder.rename(mount / "..2026")
    (mount / "..data").symlink_to("..2026")
    (mount / "bridges").symlink_to("..data/bridges")
    (mount / "both.yml").symlink_to("..data/clusters/both.yml")
    catalog = load_folder(mount, None)
    assert (set(catalog.bridges), set(catalog.clusters), catalog.problems) == ({"orders"}, {"source", "target"}, ())


def test_a_circle_of_links_ends(folder: Path) -> None:
    (folder / "bridges" / "again").symlink_to(folder)
    (folder / "clusters" / "self").symlink_to(".")
    assert load_folder(folder, None).problems == ()


def test_what_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "gone.yaml").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.yaml")
    (folder / "round.yaml").symlink_to("round.yaml")
    problems = load_folder(folder, None).problems
    assert [(one.file, one.reason) for one in problems] == [
        ("gone.yaml", "Unreadable"),
        ("pipe.yaml", "Unreadable"),
        ("round.yaml", "Unreadable"),
    ]
    assert "No such file" in problems[0].found
    assert {(one.kind, one.name) for one in problems} == {("", "")}


def test_a_file_that_may_not_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    openTruly = Path.open

    def refusing(path: Path, *arguments: object, **rest: object) -> object:
        if path.name == "orders.yaml":
            raise PermissionError(13, "Permission denied")
        return openTruly(path, *arguments, **rest)  # type: ignore[call-overload]

    monkeypatch.setattr(Path, "open", refusing)
    problem = only(load_folder(folder, None))
    assert (problem.file, problem.reason) == ("bridges/orders.yaml", "Unreadable")
    assert "Permission denied" in problem.found


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    assert only(load_file(tmp_path / "none.yaml")).reason == "Unreadable"


def test_too_big_a_file_is_refused_in_the_name_of_its_documents(tmp_path: Path) -> None:
    catalog = load_text(tmp_path, f"{BRIDGE}---\n{CLUSTER}" + "# padding\n" * (MAX_BYTES // 10))
    assert [(one.kind, one.name) for one in catalog.problems] == [("KafkaBridge", "orders"), ("KafkaCluster", "source")]
    assert "1024 KiB" in catalog.problems[0].found
    assert not catalog.bridges


# One document and another.


def test_two_of_one_name_are_both_problems(folder: Path) -> None:
    write(folder, {"bridges/copy.yaml": f"# the same again\n{BRIDGE}"})
    catalog = load_folder(folder, None)
    assert [(one.file, one.line, one.column, one.reason) for one in catalog.problems] == [
        ("bridges/copy.yaml", 5, 9, "DuplicateName"),
        ("bridges/orders.yaml", 4, 9, "DuplicateName"),
    ]
    assert "bridges/orders.yaml has in line 1" in catalog.problems[0].found
    assert "bridges/copy.yaml has in line 2" in catalog.problems[1].found
    assert catalog.bridges == {}


def test_a_bridge_and_a_cluster_may_share_a_name(folder: Path) -> None:
    write(folder, {"bridges/orders.yaml": BRIDGE.replace("name: orders", "name: source", 1)})
    assert load_folder(folder, None).problems == ()


def test_a_missing_cluster_is_told_with_those_that_exist(folder: Path) -> None:
    write(folder, {"bridges/orders.yaml": BRIDGE.replace("cluster: target", "cluster: tarqet")})
    catalog = load_folder(folder, None)
    problem = only(catalog)
    assert (problem.line, problem.column, problem.fieldPath) == (7, 21, "spec.target.cluster")
    assert (problem.kind, problem.name, problem.reason) == ("KafkaBridge", "orders", "ClusterNotFound")
    assert "source, target (did you mean target?)" in problem.expected
    assert (catalog.bridges, set(catalog.clusters)) == ({}, {"source", "target"})


def test_a_cluster_with_a_problem_is_not_called_missing(folder: Path) -> None:
    write(folder, {"clusters/both.yml": f"{CLUSTER}---\n{TARGET.replace('network1', 'net_1')}"})
    bridge, cluster = load_folder(folder, None).problems
    assert (bridge.name, bridge.reason) == ("orders", "ClusterNotFound")
    assert "clusters/both.yml:10" in bridge.found
    assert "has a problem" in bridge.found
    assert (cluster.kind, cluster.name, cluster.line) == ("KafkaCluster", "target", 16)


def test_a_cluster_with_a_namesake_is_not_called_missing(folder: Path) -> None:
    write(folder, {"clusters/again.yaml": CLUSTER})
    reasons = [(one.name, one.reason) for one in load_folder(folder, None).problems]
    assert sorted(reasons) == [("orders", "ClusterNotFound"), ("source", "DuplicateName"), ("source", "DuplicateName")]


def test_a_missing_schema_is_told_with_those_that_exist(folder: Path, schemas: Path) -> None:
    write(schemas, {"schema.avsc": SCHEMA, "other.avsc": SCHEMA})
    write(folder, {"bridges/orders.yaml": BRIDGE.replace("schema.avsc", "shema.avsc")})
    problem = only(load_folder(folder, schemas))
    assert (problem.line, problem.column, problem.reason) == (10, 41, "SchemaNotFound")
    assert problem.fieldPath == "spec.topics[0].value.schemaFile"
    assert "other.avsc, schema.avsc (did you mean schema.avsc?)" in problem.expected


@pytest.mark.parametrize("given", [None, Path("/nonexistent")])
def test_schemas_are_not_looked_for_without_their_folder(given: Path | None, folder: Path) -> None:
    assert load_folder(folder, given).problems == ()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"type": }', "line 1, column 10"),
        ("", "no JSON"),
        ('{"name": "Order"}', "without a type"),
        ("5", "without a type"),
        ("[" * 200_000, "no JSON"),
        ('"' + "x" * 1024 * 1024 + '"', "more than 1024 KiB"),
    ],
    ids=["syntax", "empty", "no type", "number", "deep", "big"],
)
def test_what_is_no_schema_is_told(content: str, words: str, folder: Path, schemas: Path) -> None:
    write(schemas, {"schema.avsc": content})
    problem = only(load_folder(folder, schemas))
    assert (problem.reason, problem.line, problem.column) == ("SchemaInvalid", 10, 41)
    assert words in problem.found


@pytest.mark.parametrize("content", ['"string"', '["null", "string"]', SCHEMA])
def test_unions_and_names_of_types_are_schemas(content: str, folder: Path, schemas: Path) -> None:
    write(schemas, {"schema.avsc": content})
    assert load_folder(folder, schemas).problems == ()


def test_a_file_is_checked_by_itself(tmp_path: Path) -> None:
    assert set(load_text(tmp_path, BRIDGE).bridges) == {"orders"}
    assert "holds no manifest" in load_text(tmp_path, "# nothing\n").folderFault


# Whatever text there is, it ends in a catalog.


def test_floods_are_refused(tmp_path: Path) -> None:
    bomb = "a: &a [1, 1, 1, 1]\n" + "".join(
        f"{new}: &{new} [{f'*{old}, ' * 9}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    expected = {
        bomb: "aliases counted in full",
        "- " * 40_000: "32 levels",
        "a: &a [*a]": "*a",
        "x" * 100_001: "a line of 100001 characters",
        "---\na: 1\n" * 1_001: "more than 1000 documents",
        BRIDGE + "".join(f"  x{number}: 1\n" for number in range(200)): "more than 100 problems",
    }
    for text, words in expected.items():
        assert any(words in problem.found for problem in load_text(tmp_path, text).problems), words


def check(text: str, folder: Path) -> None:
    """A problem or a manifest comes out, and every place lies in the text."""
    catalog = load_text(folder, text)
    assert catalog.problems or catalog.bridges or catalog.clusters or catalog.folderFault
    lines = text.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="surrogateescape").count("\n")
    for problem in catalog.problems:
        assert 1 <= problem.line <= lines + text.count("\r") + 1
        assert problem.column >= 1
        assert problem.found
        assert problem.expected


@pytest.fixture(name="scratch", scope="module")
def scratch_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("scratch")


NOISE = st.sampled_from(
    [
        *"\t:{}[]'\"#!%|>~\n\r@`\\",
        ": ",
        "- ",
        "? ",
        "<<: ",
        "&a ",
        "*a",
        "\n---\n",
        "...",
        "!!str ",
        "0x1f",
        "1e999",
        ".inf",
        "null",
        *"\x00\x85\u2028\ufeff\udc80",
    ]
)


@settings(max_examples=300, deadline=5_000)
@given(text=st.one_of(st.text(), st.lists(NOISE, max_size=30).map("".join)))
def test_any_text_ends_in_a_catalog(text: str, scratch: Path) -> None:
    check("".join(one for one in text if not "\ud800" <= one <= "\udc7f" and not "\udd00" <= one <= "\udfff"), scratch)


@settings(max_examples=300, deadline=5_000)
@given(
    start=st.integers(0, len(BRIDGE)),
    removed=st.integers(0, 20),
    inserted=st.lists(st.one_of(NOISE, st.sampled_from(BRIDGE.split())), max_size=3).map("".join),
)
def test_any_slip_of_the_hand_ends_in_a_catalog(start: int, removed: int, inserted: str, scratch: Path) -> None:
    check(BRIDGE[:start] + inserted + BRIDGE[start + removed :], scratch)
