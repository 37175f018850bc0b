"""The Kafka UI's program, one process for each browser session: kaskade's topics and records, without what writes.

Kaskade shows topics with their groups and lag in one program and the records of one topic in another. Here records open
from the list of topics. Creating, editing and deleting are not offered; the brokers would refuse them anyway.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, ClassVar

import kaskade
from kaskade.admin import KaskadeAdmin, ListTopics
from kaskade.consumer import ListRecords
from kaskade.deserializers import Deserialization, DeserializerPool
from kaskade.models import MetricState, PartitionOffset, PartitionSelection, Topic
from kaskade.services import TopicService
from kaskade.widgets import KaskadeHeader
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Footer
from ui_settings import SettingError, UiSettings, read_settings

NEWEST_OF_A_PARTITION = 10
# What would write, and what needs a download: the browser's side looks for those at the root of the site, where the
# operator's console is.
NOT_OFFERED = frozenset({"new", "edit", "delete", "export_record"})


class Records(ListRecords):
    """The records of one topic, decoded."""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return False if action in NOT_OFFERED else super().check_action(action, parameters)


class RecordsScreen(Screen[None]):
    """One topic's records over the whole window; Escape leads back to the topics."""

    AUTO_FOCUS = "#records-table"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "app.pop_screen", "Topics")]

    def __init__(self, settings: UiSettings, topic: str, partitions: tuple[PartitionSelection, ...]) -> None:
        super().__init__()
        self.cluster = settings
        self.topic = topic
        self.partitions = partitions

    def compose(self) -> ComposeResult:
        schema = self.cluster.schemas.get(self.topic)
        avro = {"value": str(schema), "framing": "raw"} if schema else {}
        config = self.cluster.kafka_config() | {"group.id": "ui-reader"}
        yield KaskadeHeader(config)
        yield Records(
            self.topic,
            config,
            DeserializerPool({}, {}, avro),
            Deserialization.STRING,
            Deserialization.AVRO if schema else Deserialization.STRING,
            partitions=self.partitions,
        )
        yield Footer(compact=True)


class Topics(ListTopics):
    """The topics of the cluster, with their groups and lag."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r", "newest_records", "Newest Records", tooltip="Show the last records of each partition."),
        Binding("b", "all_records", "Records from the Beginning", tooltip="Show records from the oldest on."),
    ]

    def __init__(self, settings: UiSettings) -> None:
        super().__init__(TopicService(settings.kafka_config()))
        self.cluster = settings

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in NOT_OFFERED:
            return False
        if action == "all_records":
            return self.current_topic is not None
        if action == "newest_records":
            return bool(self.current_topic and self.current_topic.records_state is MetricState.READY)
        return super().check_action(action, parameters)

    def action_newest_records(self) -> None:
        if self.current_topic is not None:
            self._show_records(self.current_topic, newest_of(self.current_topic))

    def action_all_records(self) -> None:
        if self.current_topic is not None:
            oldest = [PartitionSelection(each.id, PartitionOffset.EARLIEST) for each in self.current_topic.partitions]
            self._show_records(self.current_topic, tuple(oldest))

    def _show_records(self, topic: Topic, partitions: tuple[PartitionSelection, ...]) -> None:
        self.app.push_screen(RecordsScreen(self.cluster, topic.name, partitions))


class ClusterView(KaskadeAdmin):
    """The whole program."""

    # A relative path would be looked for beside this file.
    CSS_PATH = Path(kaskade.__file__).with_name("styles.css")
    # Its commands are themes, and screenshots that would have to be downloaded.
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, settings: UiSettings) -> None:
        super().__init__(settings.kafka_config())
        self.cluster = settings

    def compose(self) -> ComposeResult:
        yield KaskadeHeader(self.kafka_config)
        yield Topics(self.cluster)
        yield Footer(compact=True)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return False if action == "command_palette" else super().check_action(action, parameters)

    def deliver_text(self, *_: Any, **__: Any) -> None:
        """What the details of a record still offer; called for nothing else here."""
        self.notify("Files cannot be exported from here; y copies the record.", severity="warning")


def newest_of(topic: Topic) -> tuple[PartitionSelection, ...]:
    """Where to begin in each partition, so that its last records are shown."""
    return tuple(
        PartitionSelection(each.id, max(each.low, each.high - NEWEST_OF_A_PARTITION)) for each in topic.partitions
    )


def main() -> None:
    try:
        view = ClusterView(read_settings(os.environ))
    except SettingError as fault:
        sys.exit(f"error: {fault}")
    view.run()


if __name__ == "__main__":
    main()
