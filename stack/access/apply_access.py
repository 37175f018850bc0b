"""Makes a cluster's ACLs what an access file says. Run once by `stack/up`, and by hand after an edit of the file.

Speaks with the broker's own certificate, which may do everything. Principals that the file does not name keep theirs.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from access_rules import AccessFileInvalid, Resource, Rule, changes, read_access
from bridge_samples.connection import ConnectionFailed, tls_settings, wait_for_broker
from confluent_kafka import KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, without saying so to type checkers
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)
from loguru import logger

EXIT_FAILED, EXIT_USAGE = 1, 2
SETTINGS = ("COMPOSE_PROJECT_NAME", "SAMPLE_TOPIC")
REQUEST_SECONDS = 30
Value = TypeVar("Value")
# librdkafka calls the cluster a broker.
_TYPES: dict[Resource, ResourceType] = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}
_RESOURCES = {kind: resource for resource, kind in _TYPES.items()}


def main(
    file: Annotated[Path, typer.Argument(help="Access file, such as source.toml.")],
    bootstrapServers: Annotated[str, typer.Option("--bootstrap-servers", envvar="ACCESS_BOOTSTRAP_SERVERS")],
    tlsFolder: Annotated[
        Path, typer.Option("--tls-folder", envvar="ACCESS_TLS_FOLDER", help="Holds ca.crt, tls.crt and tls.key.")
    ] = Path("/etc/kafka/tls"),
    dryRun: Annotated[bool, typer.Option("--dry-run", help="Tell what would change, and change nothing.")] = False,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for the broker.")] = 60,
) -> None:
    """Make a cluster's ACLs what FILE says.

    Exit code 0: they are so; 1: the cluster did not do it; 2: the file is wrong.
    """
    try:
        wanted = read_access(file, {name: os.environ.get(name, "") for name in SETTINGS})
    except AccessFileInvalid as error:
        logger.error("{}", error)
        raise typer.Exit(EXIT_USAGE) from error
    try:
        admin = wait_for_broker(tls_settings(bootstrapServers, tlsFolder), timeout)
        added, removed = changes(wanted, patiently(lambda: present_rules(admin), timeout))
        for word, rules in (("allowing", added), ("taking back", removed)):
            for rule in sorted(rules):
                logger.info("{} {}", word, rule)
        if not dryRun:
            patiently(lambda: carry_out(admin, added, removed), timeout)
    except (ConnectionFailed, KafkaException) as error:
        logger.error("{}", error.args[0].str() if isinstance(error, KafkaException) else error)
        raise typer.Exit(EXIT_FAILED) from error
    logger.info("{} principals, {} rules added, {} taken back", len(wanted), len(added), len(removed))


def patiently(call: Callable[[], Value], seconds: float) -> Value:
    """Repeat a call while its error is retriable: a cluster that has just started may not have elected yet."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return call()
        except KafkaException as failure:
            if not failure.args[0].retriable() or time.monotonic() > deadline:
                raise
            time.sleep(0.5)


def present_rules(admin: AdminClient) -> frozenset[Rule]:
    """The ACLs of the cluster, of all users and hosts, but for kinds of resources that access files do not know."""
    anything: Any = None
    everything = AclBindingFilter(
        ResourceType.ANY,
        anything,
        ResourcePatternType.ANY,
        anything,
        anything,
        AclOperation.ANY,
        AclPermissionType.ANY,
    )
    found = admin.describe_acls(everything, request_timeout=REQUEST_SECONDS).result(REQUEST_SECONDS)
    return frozenset(_rule(one) for one in found if one.restype in _RESOURCES)


def carry_out(admin: AdminClient, added: frozenset[Rule], removed: frozenset[Rule]) -> None:
    """Additions first: nobody is without what both the old and the new file give."""
    if added:
        for future in admin.create_acls([_binding(one) for one in added], request_timeout=REQUEST_SECONDS).values():
            future.result(REQUEST_SECONDS)
    if removed:
        filters = [_binding(one, AclBindingFilter) for one in removed]
        for future in admin.delete_acls(filters, request_timeout=REQUEST_SECONDS).values():
            future.result(REQUEST_SECONDS)


def _binding(rule: Rule, kind: type[Any] = AclBinding) -> Any:
    return kind(
        _TYPES[rule.resource],
        rule.name,
        ResourcePatternType[rule.pattern.upper()],
        f"User:{rule.principal}",
        "*",
        AclOperation[_upper(rule.operation)],
        AclPermissionType[rule.permission.upper()],
    )


def _rule(binding: Any) -> Rule:
    return Rule(
        principal=binding.principal.removeprefix("User:"),
        resource=_RESOURCES[binding.restype],
        pattern=binding.resource_pattern_type.name.lower(),
        name=binding.name,
        operation=binding.operation.name.title().replace("_", ""),
        permission=binding.permission_type.name.lower(),
    )


def _upper(camel: str) -> str:
    """DescribeConfigs is DESCRIBE_CONFIGS."""
    return "".join(f"_{letter}" if letter.isupper() and at else letter for at, letter in enumerate(camel)).upper()


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, format="{time:YYYY-MM-DDTHH:mm:ss} {level: <7} {message}")
    typer.run(main)
