"""Both clusters take mutual TLS alone, and clients take no broker under another name."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.stack import Stack

# Prints what became of one request with the given librdkafka settings.
CLIENT = """
import json, sys
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

said = []
settings = json.loads(sys.argv[1]) | {"error_cb": lambda error: said.append(error.str()), "log_level": 0}
client = AdminClient(settings)
try:
    client.list_topics(timeout=4)
    print("answered")
except KafkaException as failure:
    client.poll(1)
    print("refused", *said)
"""

OWN = "/etc/kafka/tls"
FOREIGN = "/foreign"
SIDES = [("source-kafka", "network1", "tls-producer"), ("target-kafka", "network3", "tls-consumer")]


@pytest.fixture(scope="module", name="foreign")
def certificate_of_another_ca(stack: Stack) -> Iterator[Path]:
    """A key with a certificate that signs itself."""
    with tempfile.TemporaryDirectory(prefix="kbo-e2e-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=producer"
        make += " -keyout /foreign/tls.key -out /foreign/tls.crt 2>/dev/null && chmod 644 /foreign/*"
        image = f"{stack.instance}-certificates"
        stack.docker("run", "--rm", "--volume", f"{folder}:/foreign", "--entrypoint", "sh", image, "-c", make)
        yield folder


def ask(stack: Stack, foreign: Path, side: tuple[str, str, str], settings: dict[str, str]) -> str:
    """A client's request from the cluster's own network, with the files that its user has there."""
    broker, network, secret = side
    full = {"bootstrap.servers": f"{broker}:9093"} | settings
    return stack.docker(
        "run", "--rm", "--network", stack.network(network), "--volume", f"{stack.instance}_{secret}:{OWN}:ro",
        "--volume", f"{foreign}:{FOREIGN}:ro", f"{stack.instance}-source-producer",
        "python", "-c", CLIENT, json.dumps(full),
    )  # fmt: skip


def ssl(**changes: str | None) -> dict[str, str]:
    """The settings of a client that is in order, with changes; None takes a setting away."""
    settings: dict[str, str | None] = {
        "security_protocol": "ssl",
        "ssl_ca_location": f"{OWN}/ca.crt",
        "ssl_certificate_location": f"{OWN}/tls.crt",
        "ssl_key_location": f"{OWN}/tls.key",
        "ssl_endpoint_identification_algorithm": "https",
    }
    settings |= changes
    return {name.replace("_", "."): value for name, value in settings.items() if value is not None}


@pytest.mark.parametrize("side", SIDES, ids=[side[0] for side in SIDES])
class TestBothClusters:
    def test_a_client_in_order_is_answered(self, stack: Stack, foreign: Path, side: tuple[str, str, str]) -> None:
        assert ask(stack, foreign, side, ssl()) == "answered"

    def test_an_unencrypted_client_is_refused(self, stack: Stack, foreign: Path, side: tuple[str, str, str]) -> None:
        assert ask(stack, foreign, side, {"security.protocol": "plaintext"}).startswith("refused")

    def test_a_client_without_certificate_is_refused(
        self, stack: Stack, foreign: Path, side: tuple[str, str, str]
    ) -> None:
        answer = ask(stack, foreign, side, ssl(ssl_certificate_location=None, ssl_key_location=None))

        assert answer.startswith("refused")
        assert "certificate required" in answer or "SSL" in answer

    def test_a_client_of_another_ca_is_refused(self, stack: Stack, foreign: Path, side: tuple[str, str, str]) -> None:
        answer = ask(
            stack, foreign, side,
            ssl(ssl_certificate_location=f"{FOREIGN}/tls.crt", ssl_key_location=f"{FOREIGN}/tls.key"),
        )  # fmt: skip

        assert answer.startswith("refused")
        assert "SSL" in answer

    def test_a_broker_of_another_ca_is_refused(self, stack: Stack, foreign: Path, side: tuple[str, str, str]) -> None:
        answer = ask(stack, foreign, side, ssl(ssl_ca_location=f"{FOREIGN}/tls.crt"))

        assert answer.startswith("refused")
        assert "verify" in answer

    def test_a_broker_under_another_name_is_refused(
        self, stack: Stack, foreign: Path, side: tuple[str, str, str]
    ) -> None:
        [endpoint] = stack.facts(stack.service(side[0]))["NetworkSettings"]["Networks"].values()
        answer = ask(stack, foreign, side, ssl(bootstrap_servers=f"{endpoint['IPAddress']}:9093"))

        assert answer.startswith("refused")
        assert "verify" in answer
