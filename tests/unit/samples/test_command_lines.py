"""The producer's and the consumer's command lines: help, wrong options, and a cluster that is not there."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import consumer
import producer
import pytest
import typer
from bridge_samples.codec import Codec
from bridge_samples.connection import TLS_FILES, ConnectionFailed, tls_settings
from confluent_kafka import KafkaError, Message
from loguru import logger
from typer.testing import CliRunner

from support.stack import PROJECT_ROOT

SCHEMA = PROJECT_ROOT / "stack" / "avro" / "schema.avsc"
MAINS = [pytest.param(producer.main, id="producer"), pytest.param(consumer.main, id="consumer")]
WIDE = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}


def call(main: Callable[..., None], *arguments: str | Path) -> tuple[int, str]:
    """The exit code, and everything that was said."""
    app = typer.Typer()
    app.command()(main)
    said: list[str] = []
    sink = logger.add(said.append, format="{message}")
    try:
        result = CliRunner().invoke(app, [str(one) for one in arguments], env=WIDE)
    finally:
        logger.remove(sink)
    return result.exit_code, result.output + "".join(said)


@pytest.fixture(autouse=True)
def kept_signals() -> Iterator[None]:
    """The commands take SIGTERM and SIGINT over; here they are given back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(name="tls")
def tls_folder(tmp_path: Path) -> Path:
    for name in TLS_FILES:
        (tmp_path / name).write_text("no certificate")
    return tmp_path


@pytest.mark.parametrize("main", MAINS)
def test_help_names_exit_codes_and_an_example(main: Callable[..., None]) -> None:
    code, said = call(main, "--help")
    assert code == 0
    for part in ("Exit code 0", "Example:", "--bootstrap-servers", "--tls-folder", "--schema", "--topic"):
        assert part in said


@pytest.mark.parametrize(
    ("main", "arguments", "why"),
    [
        (producer.main, ["--count", "-1"], "greater than or equal to 0"),
        (producer.main, ["--count", "many"], "Input should be a valid integer"),
        (producer.main, ["--rate", "-1"], "greater than or equal to 0"),
        (producer.main, ["--keys", "0"], "greater than or equal to 1"),
        (producer.main, ["--partitions", "0"], "greater than or equal to 1"),
        (producer.main, ["--colour", "red"], "No such option"),
        (producer.main, ["orders"], "unexpected extra argument"),
        (consumer.main, ["--expect", "-1"], "greater than or equal to 0"),
        (consumer.main, ["--until-idle", "0"], "greater than or equal to 0.5"),
        (consumer.main, ["--timeout", "soon"], "Input should be a valid number"),
        (consumer.main, ["--colour"], "No such option"),
    ],
)
def test_wrong_options_end_with_2_and_a_sentence(main: Callable[..., None], arguments: list[str], why: str) -> None:
    code, said = call(main, *arguments)
    assert code == 2
    assert why in said
    assert not arguments[0].startswith("--") or arguments[0] in said, "the option is named"


@pytest.mark.parametrize("main", MAINS)
def test_a_missing_certificate_is_named(main: Callable[..., None], tls: Path) -> None:
    (tls / "tls.key").unlink()
    code, said = call(main, "--tls-folder", tls, "--schema", SCHEMA)
    assert code == 2
    assert f"{tls / 'tls.key'} cannot be read: No such file or directory" in said


@pytest.mark.parametrize("main", MAINS)
def test_a_missing_or_broken_schema_is_named(main: Callable[..., None], tls: Path) -> None:
    code, said = call(main, "--tls-folder", tls, "--schema", tls / "absent.avsc")
    assert (code, "absent.avsc" in said) == (2, True)
    (tls / "broken.avsc").write_text("{")
    code, said = call(main, "--tls-folder", tls, "--schema", tls / "broken.avsc")
    assert (code, "broken.avsc is no Avro schema" in said) == (2, True)


def test_tls_is_always_verified(tls: Path) -> None:
    settings = tls_settings("kafka:9093", tls)
    assert settings["security.protocol"] == "ssl"
    assert settings["ssl.endpoint.identification.algorithm"] == "https"
    assert settings["ssl.ca.location"] == str(tls / "ca.crt")
    with pytest.raises(ConnectionFailed, match=r"ca\.crt"):
        tls_settings("kafka:9093", tls / "nowhere")


# ---- the producer at work, with a client that acknowledges or refuses


class ScriptedProducer:
    """Reports each record's delivery at the next poll or flush."""

    refuses = 0

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.waiting: list[tuple[Callable[..., None], Message]] = []
        self.sent: list[Message] = []
        type(self).last = self

    last: ScriptedProducer

    def produce(self, topic: str, value: bytes, key: bytes, headers: list[Any], **more: Callable[..., None]) -> None:
        message = Message(topic, len(self.sent) % 3, len(self.sent), key, value, headers)
        self.sent.append(message)
        self.waiting.append((more["on_delivery"], message))

    def poll(self, timeout: float) -> int:
        for number, (report, message) in enumerate(self.waiting):
            report(KafkaError(KafkaError._MSG_TIMED_OUT, "too late") if number < self.refuses else None, message)
        self.waiting = []
        return 0

    flush = poll


@pytest.fixture(name="client")
def scripted_producer(monkeypatch: pytest.MonkeyPatch) -> type[ScriptedProducer]:
    monkeypatch.setattr(producer, "Producer", ScriptedProducer)
    monkeypatch.setattr(producer, "wait_for_broker", lambda settings, timeout: None)
    monkeypatch.setattr(producer, "ensure_topic", lambda admin, topic, partitions: None)
    return ScriptedProducer


def test_a_run_ends_with_a_summary(client: type[ScriptedProducer], tls: Path) -> None:
    code, said = call(producer.main, "--count", "7", "--run", "r1", "--tls-folder", tls, "--schema", SCHEMA)
    assert code == 0
    summary = json.loads(said.splitlines()[0])
    assert (summary["run"], summary["sent"], summary["unacknowledged"]) == ("r1", 7, 0)
    assert summary["perPartition"] == {"0": 3, "1": 2, "2": 2}
    codec = Codec.from_file(SCHEMA)
    for message in client.last.sent:
        assert codec.decode(message.value() or b"")["customerId"] == (message.key() or b"").decode()
        assert message.headers() == [("producer-run", b"r1")]
    assert client.last.settings["enable.idempotence"] is True
    assert client.last.settings["acks"] == "all"


def test_records_that_were_not_delivered_end_with_1(
    client: type[ScriptedProducer], tls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "refuses", 2)
    code, said = call(producer.main, "--count", "7", "--tls-folder", tls, "--schema", SCHEMA)
    assert code == 1
    assert json.loads(said.splitlines()[0])["unacknowledged"] == 2
    assert "2 records were not delivered: too late" in said
