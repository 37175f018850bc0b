"""What a bridge copies: topics by name or pattern, what their records must be, where copying begins.

Part of the contract between operator and bridge, and of what a user writes in a manifest; like `config` it imports
nothing but pydantic. Names that a pattern finds get their target names in `topic_selection`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from kafka_bridge.mistakes import Mistake, refuse

# Kafka's own rule for topic names (org.apache.kafka.common.internals.Topic).
TopicName = Annotated[
    str,
    Field(
        pattern=r"^[a-zA-Z0-9._-]+$",
        min_length=1,
        max_length=249,
        description="a topic name of at most 249 letters, digits, '.', '_' and '-'",
    ),
]
TargetName = Annotated[
    str,
    Field(
        pattern=r"^([a-zA-Z0-9._-]|\$[0-9]|\$\{[A-Za-z_][A-Za-z0-9_]*\})+$",
        min_length=1,
        max_length=249,
        description="a topic name, in which $0 is the name that a pattern has found, and $1 or ${name} a group of it",
    ),
]

# The name of a file, never a path: it is looked up in one folder.
FileName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$",
        description="the name of a file, without a folder, of letters, digits, '.', '_' and '-'",
    ),
]

GROUP = re.compile(r"\$(?:([0-9])|\{([^}]*)\})")
POINT_IN_TIME = "a point in time with its zone, such as 2026-11-24T10:00:00Z"


def _is_regular(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        refuse([Mistake((), f"the pattern {text}, which is none ({error})", "a regular expression as Python has them")])
    return text


def point_in_time(text: str) -> int | None:
    """Milliseconds since 1970 of an RFC 3339 time; None where the text is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if moment.tzinfo is None else round(moment.timestamp() * 1000)


def _is_start(text: str) -> str:
    if text not in ("earliest", "latest") and point_in_time(text) is None:
        refuse([Mistake((), text, f"earliest, latest or {POINT_IN_TIME}")])
    return text


Pattern = Annotated[
    str,
    Field(min_length=1, description="a regular expression that the whole name of a topic must match"),
    AfterValidator(_is_regular),
]
# earliest, latest, or a time: from the first record of that time on.
StartPosition = Annotated[str, Field(description=f"earliest, latest or {POINT_IN_TIME}"), AfterValidator(_is_start)]


class ConfigModel(BaseModel):
    """Frozen, strict about unknown fields; field names are the keys, without aliases."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Framing = Literal["raw", "singleObject", "confluent"]
SchemaId = Annotated[int, Field(ge=1, le=2**31 - 1, strict=True)]


class SchemaReference(ConfigModel):
    """One of several schemas that a payload may be written with; `id` is the one that Confluent's framing carries."""

    schemaFile: FileName
    id: SchemaId | None = None


class Conversion(ConfigModel):
    """What a payload is re-encoded to."""

    schemaFile: FileName
    framing: Framing = "raw"
    schemaId: SchemaId | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        refuse(self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if self.framing == "confluent" and self.schemaId is None:
            yield Mistake(("framing",), "framing confluent without schemaId", "the schemaId that it carries")
        if self.framing != "confluent" and self.schemaId is not None:
            yield Mistake(("schemaId",), f"schemaId with framing {self.framing}", "schemaId only with confluent")


class FormatConfig(ConfigModel):
    """What a key or a value must look like: `bytes` is anything, `avro` is checked against what it was written with.

    `schemaFile` is the one schema of `raw` or `singleObject`; `schemas` are those that a framing tells apart. Without
    `convertTo` the bytes are forwarded unchanged.
    """

    format: Literal["bytes", "avro"] = "bytes"
    framing: Framing = "raw"
    schemaFile: FileName | None = None
    schemas: tuple[SchemaReference, ...] = ()
    convertTo: Conversion | None = None

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        refuse(self._bytes_mistakes() if self.format == "bytes" else self._avro_mistakes())
        return self

    def schema_files(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """All schema files that this format needs, each with its place below it."""
        if self.schemaFile is not None:
            yield ("schemaFile",), self.schemaFile
        for index, schema in enumerate(self.schemas):
            yield ("schemas", index, "schemaFile"), schema.schemaFile
        if self.convertTo is not None:
            yield ("convertTo", "schemaFile"), self.convertTo.schemaFile

    def _bytes_mistakes(self) -> Iterator[Mistake]:
        for field, isGiven in (
            ("schemaFile", self.schemaFile is not None),
            ("schemas", bool(self.schemas)),
            ("convertTo", self.convertTo is not None),
            ("framing", self.framing != "raw"),
        ):
            if isGiven:
                yield Mistake((field,), f"{field} with format bytes", f"{field} only beside format: avro")

    def _avro_mistakes(self) -> Iterator[Mistake]:
        if self.schemaFile is not None and self.schemas:
            yield Mistake(("schemas",), "schemas beside schemaFile", "one of the two")
        if self.framing == "confluent":
            yield from self._confluent_mistakes()
            return
        if self.schemaFile is None and (self.framing == "raw" or not self.schemas):
            yield Mistake(("format",), "format avro without schemaFile", "a schemaFile beside it")
        for index, schema in enumerate(self.schemas):
            if self.framing == "raw":
                yield Mistake(("schemas",), "schemas with framing raw, which cannot tell them apart", "one schemaFile")
                return
            if schema.id is not None:
                yield Mistake(("schemas", index, "id"), f"id with framing {self.framing}", "id only with confluent")

    def _confluent_mistakes(self) -> Iterator[Mistake]:
        if not self.schemas:
            yield Mistake(("framing",), "framing confluent without schemas", "schemas, each with its id and schemaFile")
        ids: set[int] = set()
        for index, schema in enumerate(self.schemas):
            if schema.id is None:
                yield Mistake(("schemas", index), "a schema without id", "the id that the registry gave it")
            elif schema.id in ids:
                yield Mistake(("schemas", index, "id"), f"id {schema.id} again", "each id once")
            else:
                ids.add(schema.id)


class TopicConfig(ConfigModel):
    """Source topics, by name or pattern, their names at the target, and what their records must be.

    A topic belongs to the entry with its name, otherwise to the first whose pattern it matches.
    """

    name: TopicName | None = None
    pattern: Pattern | None = None
    exclude: tuple[Pattern, ...] = ()
    targetName: TargetName | None = None
    key: FormatConfig = FormatConfig()
    value: FormatConfig = FormatConfig()
    onInvalid: Literal["fail", "deadLetter"] = "fail"

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        refuse(self._mistakes())
        return self

    def _mistakes(self) -> Iterator[Mistake]:
        if self.name is None and self.pattern is None:
            yield Mistake((), "a topic without name", "a name, or a pattern")
        elif self.name is not None and self.pattern is not None:
            yield Mistake(("pattern",), "a pattern beside a name", "one of the two")
        elif self.pattern is None:
            if self.exclude:
                yield Mistake(("exclude",), "exclude beside a name", "exclude only beside a pattern")
            if self.targetName and "$" in self.targetName:
                yield Mistake(("targetName",), self.targetName, "a plain name; $ stands for parts of a pattern")
        else:
            yield from self._rename_mistakes(re.compile(self.pattern))

    def _rename_mistakes(self, pattern: re.Pattern[str]) -> Iterator[Mistake]:
        if self.targetName is None:
            return
        if "$" not in self.targetName:
            expected = "a name with $0 or a group of the pattern in it, so that each topic has one of its own"
            yield Mistake(("targetName",), self.targetName, expected)
        for number, name in GROUP.findall(self.targetName):
            if (number and int(number) > pattern.groups) or (name and name not in pattern.groupindex):
                found = f"${number}" if number else f"${{{name}}}"
                yield Mistake(("targetName",), f"{found}, a group that the pattern does not have", "one that it has")


def repeated_topics(topics: Sequence[TopicConfig]) -> Iterator[Mistake]:
    """No topic is read twice, and no two are written into one; what patterns find is checked when it is found."""
    sources: set[str] = set()
    targets: set[str] = set()
    for index, topic in enumerate(topics):
        if topic.name is None:
            if topic.pattern in sources:
                yield Mistake(("topics", index, "pattern"), f"pattern {topic.pattern} again", "each pattern once")
            sources.add(topic.pattern or "")
            continue
        target = topic.targetName or topic.name
        if topic.name in sources:
            yield Mistake(("topics", index, "name"), f"source topic {topic.name} again", "each source topic once")
        elif target in targets:
            field = "targetName" if topic.targetName else "name"
            yield Mistake(("topics", index, field), f"target topic {target} again", "each target topic once")
        sources.add(topic.name)
        targets.add(target)


class Rewind(ConfigModel):
    """A request to copy again, or not at all, from somewhere else; carried out once by each lane that it concerns.

    `id` names the request: one that a lane has carried out is not carried out again. Without `topic` it concerns all,
    without `partition` all of the topic's. `to` is an offset, earliest, latest or a time.
    """

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", description="a name for this request")]
    topic: TopicName | None = None
    partition: Annotated[int, Field(ge=0, strict=True)] | None = None
    to: Annotated[
        Annotated[int, Field(ge=0, strict=True)] | StartPosition,
        Field(description=f"an offset, earliest, latest or {POINT_IN_TIME}"),
    ]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if self.partition is not None and self.topic is None:
            refuse([Mistake(("partition",), "partition without topic", "the topic that it belongs to")])
        if isinstance(self.to, int) and self.partition is None:
            refuse([Mistake(("to",), f"offset {self.to} for several partitions", "topic and partition beside it")])
        return self

    def concerns(self, topic: str, partition: int) -> bool:
        return self.topic in (None, topic) and self.partition in (None, partition)


def repeated_rewinds(rewinds: Sequence[Rewind]) -> Iterator[Mistake]:
    ids: set[str] = set()
    for index, rewind in enumerate(rewinds):
        if rewind.id in ids:
            yield Mistake(("rewind", index, "id"), f"{rewind.id} again", "each id once")
        ids.add(rewind.id)


class ConsumerGroups(ConfigModel):
    """Groups of the source, by patterns for the whole name, whose positions are carried over to the target."""

    include: Annotated[tuple[Pattern, ...], Field(min_length=1)]
    exclude: tuple[Pattern, ...] = ()
    intervalSeconds: Annotated[int, Field(ge=1, le=3_600, strict=True)] = 10


# What of a source topic's own configuration is carried over to a topic that is created at the target.
COPIED_CONFIGS = ("cleanup.policy", "compression.type", "max.message.bytes", "retention.bytes", "retention.ms")


class TopicCreation(ConfigModel):
    """How missing topics are made at the target: with the source's partition count, and these settings.

    `copyConfigs` names what is carried over where the source topic sets it itself; `configs` is set in any case.
    """

    replicationFactor: Annotated[int, Field(ge=1, le=32_767, strict=True)] | None = None
    copyConfigs: tuple[str, ...] = COPIED_CONFIGS
    configs: dict[str, Annotated[str, Field(coerce_numbers_to_str=True)]] = {}
