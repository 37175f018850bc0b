"""bridgectl pause, resume, restart, rewind, delete, apply and diff: what they do to the files, and when they do not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bridge_operator.manifests import load_folder
from support.bridgectl import Desk
from support.project_files import PROJECT_ROOT

ORDERS = (PROJECT_ROOT / "manifests/bridges/orders.yaml").read_text()
PAYMENTS = ORDERS.replace("name: orders", "name: payments")


@pytest.fixture(name="desk")
def make_desk(tmp_path: Path) -> Desk:
    """The project's own manifests, and a file of two documents."""
    desk = Desk(tmp_path)
    for folder in ("bridges", "clusters"):
        (desk.manifestsDir / folder).mkdir(parents=True)
        for file in (PROJECT_ROOT / "manifests" / folder).glob("*.yaml"):
            (desk.manifestsDir / folder / file.name).write_text(file.read_text())
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "schema.avsc").write_text('"string"')
    return desk


def contents(desk: Desk) -> dict[str, str]:
    files = sorted(path for path in desk.manifestsDir.rglob("*") if path.is_file())
    return {path.relative_to(desk.manifestsDir).as_posix(): path.read_text() for path in files}


def spec_of(desk: Desk, bridge: str = "orders") -> dict[str, object]:
    catalog = load_folder(desk.manifestsDir, None)
    assert not catalog.problems
    return catalog.bridges[bridge].spec.model_dump(mode="json", exclude_unset=True)


# ---- pause, resume, restart


def test_pause_and_resume_change_one_line(desk: Desk) -> None:
    before = contents(desk)
    done = desk.run("pause", "orders")
    assert (done.stdout, done.exit_code) == ("kafkabridge/orders paused\n", 0)
    assert spec_of(desk)["paused"] is True
    after = contents(desk)
    assert after.pop("bridges/orders.yaml") == before.pop("bridges/orders.yaml").replace(
        "spec:\n", "spec:\n  paused: true\n"
    )
    assert after == before
    assert desk.run("pause", "orders", "orders").stdout == "kafkabridge/orders unchanged\n"
    assert desk.run("resume", "orders").stdout == "kafkabridge/orders resumed\n"
    assert spec_of(desk)["paused"] is False
    assert desk.run("resume", "bridge/orders").stdout == "kafkabridge/orders unchanged\n"


def test_restart_writes_down_the_time(desk: Desk) -> None:
    done = desk.run("restart", "orders")
    assert (done.stdout, done.exit_code) == ("kafkabridge/orders restarted\n", 0)
    assert spec_of(desk)["restartedAt"] == "2030-01-02T12:00:00Z"


@pytest.mark.parametrize(
    "arguments",
    [("pause", "orders"), ("restart", "orders"), ("delete", "orders"), ("rewind", "orders", "--to", "earliest")],
)
def test_a_dry_run_changes_nothing(desk: Desk, arguments: tuple[str, ...]) -> None:
    before = contents(desk)
    done = desk.run(*arguments, "--dry-run")
    assert done.exit_code == 0, done.output
    assert done.stdout.endswith(" (dry run)\n")
    assert contents(desk) == before


def test_all_or_none(desk: Desk) -> None:
    before = contents(desk)
    done = desk.run("pause", "orders", "nobody")
    assert done.exit_code == 1
    assert done.stderr == 'error: no manifest of the kind KafkaBridge is named "nobody"\n'
    assert contents(desk) == before


def test_what_is_no_bridge_is_refused(desk: Desk) -> None:
    assert desk.run("pause", "cluster/source").stderr == "error: cluster/source is no bridge\n"
    assert desk.run("pause", "topic/x").stderr == 'error: there is no kind "topic", expected bridge or cluster\n'


@pytest.mark.parametrize("text", ["spec: [", "a: {b: c", "kind: KafkaBridge\nmetadata: {name: orders}\nspec: 3\n"])
def test_a_manifest_that_is_broken_is_left_as_it_is(desk: Desk, text: str) -> None:
    (desk.manifestsDir / "bridges" / "orders.yaml").write_text(text)
    before = contents(desk)
    done = desk.run("pause", "orders")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert contents(desk) == before


def test_a_mistake_elsewhere_is_no_obstacle(desk: Desk) -> None:
    (desk.manifestsDir / "bridges" / "other.yaml").write_text(PAYMENTS.replace("replicas: 1", "replicas: 99"))
    assert desk.run("pause", "orders").exit_code == 0


def test_mode_and_links_of_a_file_stay(desk: Desk) -> None:
    file = desk.manifestsDir / "bridges" / "orders.yaml"
    real = desk.folder / "real.yaml"
    real.write_text(file.read_text())
    real.chmod(0o640)
    file.unlink()
    file.symlink_to(real)
    assert desk.run("pause", "orders").exit_code == 0
    assert file.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o640
    assert "paused: true" in real.read_text()
    assert sorted(os.listdir(desk.folder)) == ["manifests", "real.yaml", "schemas"], "nothing is left beside it"


# ---- rewind


def test_rewind_asks_and_adds_a_request(desk: Desk) -> None:
    before = contents(desk)
    done = desk.run("rewind", "orders", "--to", "earliest", stdin="n\n")
    assert done.exit_code == 1
    assert "kafkabridge/orders will copy all its topics from earliest on" in done.stderr
    assert contents(desk) == before
    done = desk.run("rewind", "orders", "--to", "earliest", stdin="y\n")
    assert done.exit_code == 0, done.output
    assert spec_of(desk)["rewind"] == [{"id": "rewind-2030-01-02T120000Z", "to": "earliest"}]
    done = desk.run("rewind", "orders", "--to", "17", "--topic", "orders", "--partition", "3", "--id", "again", "-y")
    assert (done.stdout, done.exit_code) == ("kafkabridge/orders rewound\n", 0)
    assert spec_of(desk)["rewind"] == [
        {"id": "again", "topic": "orders", "partition": 3, "to": 17},
        {"id": "rewind-2030-01-02T120000Z", "to": "earliest"},
    ]


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--to", "yesterday"), "spec.rewind[0].to"),
        (("--to", "17"), "topic and partition beside it"),
        (("--to", "earliest", "--partition", "3"), "the topic that it belongs to"),
        (("--to", "earliest", "--id", "a b"), "spec.rewind[0].id"),
    ],
)
def test_a_wrong_request_is_refused_before_anybody_is_asked(
    desk: Desk, arguments: tuple[str, ...], complaint: str
) -> None:
    before = contents(desk)
    done = desk.run("rewind", "orders", *arguments)
    assert done.exit_code == 1
    assert complaint in done.stderr
    assert "Go on?" not in done.stderr
    assert contents(desk) == before


# ---- delete


def test_delete_takes_out_the_document_alone(desk: Desk) -> None:
    both = desk.manifestsDir / "bridges" / "orders.yaml"
    both.write_text(f"{ORDERS}---\n{PAYMENTS}")
    assert desk.run("delete", "orders").stdout == "kafkabridge/orders deleted\n"
    assert both.read_text() == f"---\n{PAYMENTS}"
    assert desk.run("delete", "payments").exit_code == 0
    assert not both.exists(), "a file without a manifest is not left behind"


def test_what_others_need_is_not_deleted(desk: Desk) -> None:
    before = contents(desk)
    done = desk.run("delete", "cluster/source")
    assert done.exit_code == 1
    assert "spec.source.cluster" in done.stderr
    assert contents(desk) == before
    done = desk.run("delete", "orders", "cluster/source")
    assert done.stdout == "kafkabridge/orders deleted\nkafkacluster/source deleted\n"


# ---- apply and diff


def test_apply_creates_configures_and_leaves_alone(desk: Desk, tmp_path: Path) -> None:
    given = tmp_path / "given.yaml"
    given.write_text(f"{PAYMENTS.replace('- name: payments', '- name: payments-1')}---\n{ORDERS}")
    done = desk.run("diff", "-f", str(given))
    assert done.exit_code == 1
    assert done.stdout.startswith("--- /dev/null\n+++ b/bridges/payments.yaml\n")
    assert "bridges/orders.yaml" not in done.stdout
    assert "payments" not in spec_names(desk)
    done = desk.run("apply", "-f", str(given))
    assert done.stdout == "kafkabridge/payments created\nkafkabridge/orders unchanged\n"
    assert "payments" in spec_names(desk)
    assert desk.run("diff", "-f", str(given)).exit_code == 0
    changed = ORDERS.replace("replicas: 1", "replicas: 2")
    done = desk.run("diff", "-f", "-", stdin=changed)
    assert (done.exit_code, done.stdout.splitlines()[3:]) == (
        1,
        [line for line in done.stdout.splitlines()[3:] if line[0] == " " or "replicas" in line],
    )
    assert "-  replicas: 1\n+  replicas: 2\n" in done.stdout
    assert desk.run("apply", "-f", "-", stdin=changed).stdout == "kafkabridge/orders configured\n"
    assert spec_of(desk)["replicas"] == 2


def spec_names(desk: Desk) -> set[str]:
    return set(load_folder(desk.manifestsDir, None).bridges)


def test_apply_takes_a_folder(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "given" / "deep"
    folder.mkdir(parents=True)
    (folder / "payments.yaml").write_text(PAYMENTS)
    (folder / "notes.txt").write_text("no manifest")
    assert desk.run("apply", "-f", str(tmp_path / "given")).stdout == "kafkabridge/payments created\n"
    assert (desk.manifestsDir / "bridges" / "payments.yaml").read_text() == PAYMENTS


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (ORDERS.replace("replicas: 1", "replicas: 99"), "<stdin>:15:13: spec.replicas: found the number 99"),
        (ORDERS.replace("cluster: source", "cluster: nowhere"), "spec.source.cluster"),
        ("", "there is no manifest in <stdin>"),
        ("a: [", "<stdin>:"),
    ],
)
def test_what_is_wrong_is_not_applied(desk: Desk, given: str, complaint: str) -> None:
    before = contents(desk)
    done = desk.run("apply", "-f", "-", stdin=given)
    assert done.exit_code == 1
    assert complaint in done.stderr
    assert contents(desk) == before
    assert desk.run("diff", "-f", "-", stdin=given).exit_code == 2


def test_a_path_that_is_not_there_is_named(desk: Desk) -> None:
    done = desk.run("apply", "-f", "nowhere.yaml")
    assert done.exit_code == 2
    assert "the path nowhere.yaml does not exist" in done.stderr


def test_a_file_that_somebody_else_changed_meanwhile_is_left_to_them(desk: Desk) -> None:
    from bridge_operator.manifest_changes import ChangeRefused, FolderDraft
    from bridge_operator.manifest_edits import Identity, set_in_spec

    draft = FolderDraft(desk.manifestsDir)
    draft.change(Identity("KafkaBridge", "orders"), set_in_spec("paused", True))
    file = desk.manifestsDir / "bridges" / "orders.yaml"
    file.write_text(ORDERS + "# mine\n")
    with pytest.raises(ChangeRefused, match=r"bridges/orders\.yaml has just been changed by somebody else"):
        draft.write()
    assert file.read_text() == ORDERS + "# mine\n"


def test_a_folder_that_may_not_be_written_is_said(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    before = contents(desk)
    done = desk.run("pause", "orders")
    assert done.exit_code == 1
    assert "orders.yaml cannot be written: Permission denied" in done.stderr
    assert contents(desk) == before
