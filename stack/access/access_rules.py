"""What an access file says: each principal's rules, as sets that can be compared with what a cluster has.

The form of the file is explained at the head of `source.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, RootModel, ValidationError, model_validator

Resource = Literal["topic", "group", "transactionalId", "cluster"]
Operation = Literal[
    "Read", "Write", "Create", "Delete", "Alter", "Describe", "DescribeConfigs", "AlterConfigs", "IdempotentWrite",
    "ClusterAction", "All",
]  # fmt: skip
CLUSTER_NAME = "kafka-cluster"


class AccessFileInvalid(Exception):
    """A file that cannot be carried out; the text has a line for each mistake: file, place, found, expected."""


@dataclass(frozen=True, slots=True, order=True)
class Rule:
    """One ACL. `pattern` tells whether `name` is a whole name (`*`: any) or the beginning of one."""

    principal: str
    resource: Resource
    pattern: Literal["literal", "prefixed"]
    name: str
    operation: Operation
    permission: Literal["allow", "deny"]

    def __str__(self) -> str:
        name = f"{self.name}*" if self.pattern == "prefixed" else self.name
        return f"{self.principal}: {self.permission} {self.operation} on {self.resource} {name}"


class _Grant(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(min_length=1)] | None = None
    prefix: Annotated[str, Field(min_length=1)] | None = None
    allow: tuple[Operation, ...] = ()
    deny: tuple[Operation, ...] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.allow and not self.deny:
            raise ValueError("expected allow or deny, with at least one operation")
        return self


class _NamedGrant(_Grant):
    @model_validator(mode="after")
    def _has_one_name(self) -> Self:
        if (self.name is None) == (self.prefix is None):
            raise ValueError("expected either name or prefix")
        return self


class _ClusterGrant(_Grant):
    @model_validator(mode="after")
    def _has_no_name(self) -> Self:
        if self.name is not None or self.prefix is not None:
            raise ValueError("a cluster has neither name nor prefix")
        return self


class _Access(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    topic: tuple[_NamedGrant, ...] = ()
    group: tuple[_NamedGrant, ...] = ()
    transactionalId: tuple[_NamedGrant, ...] = ()
    cluster: tuple[_ClusterGrant, ...] = ()

    def grants(self) -> list[tuple[Resource, _Grant]]:
        return [
            *(("topic", one) for one in self.topic),
            *(("group", one) for one in self.group),
            *(("transactionalId", one) for one in self.transactionalId),
            *(("cluster", one) for one in self.cluster),
        ]


class _AccessFile(RootModel[dict[str, _Access]]):
    pass


def read_access(file: Path, settings: Mapping[str, str]) -> dict[str, frozenset[Rule]]:
    """The rules of each principal that the file names; ${NAME} is replaced by `settings`. AccessFileInvalid."""
    try:
        text = Template(file.read_text(encoding="utf-8")).substitute(settings)
        accesses = _AccessFile.model_validate(tomllib.loads(text)).root
    except OSError as error:
        raise AccessFileInvalid(f"{file}: {error.strerror}") from error
    except KeyError as error:
        raise AccessFileInvalid(f"{file}: found ${{{error.args[0]}}}, expected one of {sorted(settings)}") from error
    except ValidationError as error:
        raise AccessFileInvalid("\n".join(_mistakes(file, error))) from error
    except ValueError as error:
        # Not UTF-8, a stray $, or no TOML: the text has the place.
        raise AccessFileInvalid(f"{file}: {error}") from error
    return {principal: frozenset(_rules(principal, access)) for principal, access in accesses.items()}


def changes(
    wanted: Mapping[str, Collection[Rule]], present: Collection[Rule]
) -> tuple[frozenset[Rule], frozenset[Rule]]:
    """What to add and what to take away, so that each principal of `wanted` has its rules and no others."""
    allWanted = frozenset(rule for rules in wanted.values() for rule in rules)
    managed = frozenset(rule for rule in present if rule.principal in wanted)
    return allWanted - managed, managed - allWanted


def _rules(principal: str, access: _Access) -> list[Rule]:
    found = []
    for resource, grant in access.grants():
        pattern: Literal["literal", "prefixed"] = "literal" if grant.prefix is None else "prefixed"
        name = grant.prefix or grant.name or CLUSTER_NAME
        found += [Rule(principal, resource, pattern, name, operation, "allow") for operation in grant.allow]
        found += [Rule(principal, resource, pattern, name, operation, "deny") for operation in grant.deny]
    return found


def _mistakes(file: Path, error: ValidationError) -> list[str]:
    return [
        f"{file}: {'.'.join(map(str, one['loc']))}: found {one['input']!r}: {one['msg'].removeprefix('Value error, ')}"
        for one in error.errors()
    ]
