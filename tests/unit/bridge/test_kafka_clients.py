"""The wrappers of confluent_kafka's clients: what they repeat, what they raise, and what they hand on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, Message, TopicPartition

from kafka_bridge.client_settings import Settings
from kafka_bridge.errors import (
    AbortNeeded,
    BridgeError,
    FencedError,
    OversizedRecord,
    RecordRefused,
    TerminalError,
    TransientError,
)
from kafka_bridge.kafka import (
    AssignedConsumer,
    Batch,
    ClusterAdmin,
    TopicFacts,
    TransactionalProducer,
    admin,
    consumer,
    failures,
    producer,
)
from support.fake_kafka import FakeClock

RETRIABLE = KafkaError(KafkaError._TIMED_OUT, "late", retriable=True)
SETTINGS: Settings = {"client.id": "me"}


class ScriptedClient:
    """Any of confluent_kafka's clients: each call takes its next answer, an exception is raised, None is no answer."""

    def __init__(self) -> None:
        self.script: dict[str, list[Any]] = {}
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.settings: dict[str, Any] = {}
        self.queued = 1
        self.made = 0
        """How many clients it has stood for."""

    def __call__(self, settings: dict[str, Any]) -> ScriptedClient:
        self.settings = settings
        self.made += 1
        return self

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*positional: Any, **named: Any) -> Any:
            self.calls.append((name, positional, named))
            answers = self.script.get(name, [])
            answer = answers.pop(0) if answers else None
            if isinstance(answer, BaseException):
                raise answer
            return answer

        return call

    def __len__(self) -> int:
        return self.queued

    def count(self, name: str) -> int:
        return sum(1 for called, _, _ in self.calls if called == name)


@pytest.fixture(name="clock", autouse=True)
def fake_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    clock = FakeClock()
    monkeypatch.setattr(failures, "time", clock)
    return clock


@pytest.fixture(name="client")
def scripted_client(monkeypatch: pytest.MonkeyPatch) -> ScriptedClient:
    client = ScriptedClient()
    for module, name in ((producer, "Producer"), (consumer, "Consumer"), (admin, "AdminClient")):
        monkeypatch.setattr(module, name, client)
    return client


def raised(error: KafkaError) -> KafkaException:
    return KafkaException(error)


TRANSACTIONAL_CALLS = [
    ("init_transactions", TransactionalProducer.init_transactions),
    ("commit_transaction", TransactionalProducer.commit),
    ("abort_transaction", TransactionalProducer.abort),
]


@pytest.mark.parametrize(("name", "call"), TRANSACTIONAL_CALLS)
def test_a_retriable_error_repeats_the_same_call(
    name: str, call: Callable[[TransactionalProducer], None], client: ScriptedClient
) -> None:
    beats: list[None] = []
    client.script[name] = [raised(RETRIABLE), raised(RETRIABLE), None]
    call(TransactionalProducer(SETTINGS, lambda: beats.append(None)))
    assert client.count(name) == 3
    assert len(beats) == 3, "each wait that came back is a heartbeat"


@pytest.mark.parametrize(("name", "call"), TRANSACTIONAL_CALLS)
@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KafkaError(KafkaError._TIMED_OUT, txn_requires_abort=True), AbortNeeded),
        (KafkaError(KafkaError._FENCED, fatal=True), FencedError),
        (KafkaError(KafkaError._FATAL, fatal=True, retriable=True), TransientError),
        (KafkaError(KafkaError._STATE), TransientError),
    ],
)
def test_any_other_error_leaves_at_once_by_its_class(
    name: str,
    call: Callable[[TransactionalProducer], None],
    error: KafkaError,
    kind: type[BridgeError],
    client: ScriptedClient,
) -> None:
    client.script[name] = [raised(error)]
    with pytest.raises(BridgeError) as left:
        call(TransactionalProducer(SETTINGS, lambda: None))
    assert type(left.value) is kind
    assert client.count(name) == 1


def test_a_call_that_never_succeeds_has_a_bound(client: ScriptedClient, clock: FakeClock) -> None:
    client.script["commit_transaction"] = [raised(RETRIABLE)] * 100

    def beat() -> None:
        clock.now += 2.0

    with pytest.raises(TransientError, match="commit_transaction: late"):
        TransactionalProducer(SETTINGS, beat).commit()
    assert 25 < client.count("commit_transaction") < 35, "60 s in slices of 2 s"


def test_a_quick_retriable_error_is_not_repeated_in_a_tight_loop(client: ScriptedClient, clock: FakeClock) -> None:
    loading = KafkaError(KafkaError.COORDINATOR_LOAD_IN_PROGRESS, retriable=True)
    client.script["init_transactions"] = [raised(loading), raised(loading), None]
    TransactionalProducer(SETTINGS, lambda: None).init_transactions()
    assert len(clock.pauses) == 2


def test_a_full_queue_is_waited_for(client: ScriptedClient) -> None:
    beats: list[None] = []
    client.script["produce"] = [BufferError(), BufferError(), None]
    TransactionalProducer(SETTINGS, lambda: beats.append(None)).send("orders", 2, b"k", b"v", [("h", b"1")], 1234)
    assert client.count("produce") == 3
    assert len(beats) == client.count("poll") == 2
    assert client.calls[-1] == ("produce", ("orders", b"v", b"k", 2, None, None, 1234, [("h", b"1")]), {})


def test_a_record_too_large_for_the_client_is_named(client: ScriptedClient) -> None:
    client.script["produce"] = [raised(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))]
    with pytest.raises(OversizedRecord, match="3 bytes of key and value are too many"):
        TransactionalProducer(SETTINGS, lambda: None).send("orders", 2, b"kk", b"v")


@pytest.mark.parametrize(
    ("hidden", "cause", "kind"),
    [
        (KafkaError._FATAL, KafkaError(KafkaError._FENCED, fatal=True), FencedError),
        (KafkaError._STATE, KafkaError(KafkaError._TIMED_OUT, txn_requires_abort=True), AbortNeeded),
        (KafkaError._STATE, KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, txn_requires_abort=True), RecordRefused),
    ],
)
def test_a_producer_that_failed_before_tells_its_first_error(
    hidden: int, cause: KafkaError, kind: type[BridgeError], client: ScriptedClient
) -> None:
    # produce() says only that it may not; taken at its word, a fenced lane would start over and fence its successor.
    client.script["produce"] = [raised(KafkaError(hidden))]
    client.script["begin_transaction"] = [raised(cause)]
    with pytest.raises(BridgeError) as left:
        TransactionalProducer(SETTINGS, lambda: None).send("orders", 2, None, b"v")
    assert type(left.value) is kind


def send_four(producer: TransactionalProducer) -> int:
    values: list[bytes | None] = [b"a", None, b"c", b"d"]
    return producer.send_many(
        "orders", 2, [b"k", None, b"k", b"k"], values, [None, [("h", b"1")], None, None], [1, 2, 3, 4]
    )


def produced(client: ScriptedClient) -> list[Any]:
    """The values that were tried, in order."""
    return [arguments[1] for name, arguments, _ in client.calls if name == "produce"]


def test_many_are_sent_as_one_is(client: ScriptedClient) -> None:
    assert send_four(TransactionalProducer(SETTINGS, lambda: None)) == 4
    assert client.calls[1] == ("produce", ("orders", None, None, 2, None, None, 2, [("h", b"1")]), {})
    assert client.calls[3] == ("produce", ("orders", b"d", b"k", 2, None, None, 4, None), {})


def test_a_queue_that_fills_amid_many_loses_and_repeats_nothing(client: ScriptedClient) -> None:
    client.script["produce"] = [None, BufferError(), BufferError(), None, BufferError(), None, None]
    assert send_four(TransactionalProducer(SETTINGS, lambda: None)) == 4
    assert produced(client) == [b"a", None, None, None, b"c", b"c", b"d"], "each once more for each time it was refused"


@pytest.mark.parametrize("at", [0, 1, 3])
def test_of_many_those_before_one_too_large_are_sent(client: ScriptedClient, at: int) -> None:
    tooLarge = raised(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE, "too large"))
    client.script["produce"] = [*[None] * at, tooLarge, tooLarge]
    assert send_four(TransactionalProducer(SETTINGS, lambda: None)) == at
    assert len(produced(client)) == at + 2, "tried again once, and none behind it"


def test_amid_many_a_fenced_producer_says_so(client: ScriptedClient) -> None:
    client.script["produce"] = [None, *[raised(KafkaError(KafkaError._FATAL))] * 2]
    client.script["begin_transaction"] = [raised(KafkaError(KafkaError._FENCED, fatal=True))]
    with pytest.raises(FencedError):
        send_four(TransactionalProducer(SETTINGS, lambda: None))


def test_closing_a_producer_waits_for_nothing_and_never_raises(client: ScriptedClient) -> None:
    client.script["purge"] = [raised(KafkaError(KafkaError._STATE))]
    TransactionalProducer(SETTINGS, lambda: None).close()
    assert client.calls[0] == ("purge", (), {"in_queue": True, "in_flight": True, "blocking": False})
    assert client.count("flush") == client.count("commit_transaction") == 0


# ---- the consumer


def record(partition: int, offset: int) -> Message:
    return Message("orders", partition, offset, b"k", b"v")


def event(code: int, partition: int, offset: int, **flags: bool) -> Message:
    return Message("orders", partition, offset, error=KafkaError(code, "event", **flags))


def polled(client: ScriptedClient, first: Sequence[Message], rest: Sequence[Message] = ()) -> Batch:
    """Nothing is there at first; then one arrives, and with it the rest."""
    client.script["consume"] = [[], list(first), list(rest)]
    return AssignedConsumer(SETTINGS).poll(100, 0.5)


def test_a_poll_waits_for_the_first_record_alone(client: ScriptedClient) -> None:
    batch = polled(client, [record(0, 5)], [record(0, 6), record(1, 2)])
    assert [(one.partition(), one.offset()) for one in batch.records] == [(0, 5), (0, 6), (1, 2)]
    assert [positional for _, positional, _ in client.calls] == [(100, 0), (1, 0.5), (99, 0)]


def test_a_poll_that_finds_something_does_not_wait(client: ScriptedClient) -> None:
    client.script["consume"] = [[record(0, 5), record(0, 6)]]
    assert len(AssignedConsumer(SETTINGS).poll(100, 0.5).records) == 2
    assert client.count("consume") == 1


def test_a_partition_that_ran_dry_tells_its_end(client: ScriptedClient) -> None:
    batch = polled(client, [record(0, 5)], [event(KafkaError._PARTITION_EOF, 0, 9)])
    assert batch.ends == {("orders", 0): 9}


def test_a_partition_that_went_on_after_running_dry_is_not_dry(client: ScriptedClient) -> None:
    batch = polled(client, [event(KafkaError._PARTITION_EOF, 0, 5)], [record(0, 5), record(1, 1)])
    assert batch.ends == {}


@pytest.mark.parametrize("code", [KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE])
def test_a_lost_offset_is_named_with_its_place(client: ScriptedClient, code: int) -> None:
    with pytest.raises(TerminalError, match="orders-3 at offset 17") as lost:
        polled(client, [record(0, 1)], [event(code, 3, 17)])
    assert lost.value.reason == "SourceOffsetOutOfRange"


def test_other_errors_of_the_source_start_the_lane_over(client: ScriptedClient) -> None:
    with pytest.raises(TransientError, match="reading orders-3") as left:
        polled(client, [event(KafkaError.TOPIC_AUTHORIZATION_FAILED, 3, 17)])
    assert left.value.reason == "TopicAuthorizationFailed"
    with pytest.raises(TransientError):
        polled(client, [event(KafkaError._FATAL, 3, 17, fatal=True, retriable=True)])


def test_an_error_that_librdkafka_mends_itself_is_passed_over(client: ScriptedClient) -> None:
    batch = polled(client, [event(KafkaError._TRANSPORT, 0, 1, retriable=True)], [record(0, 1)])
    assert len(batch.records) == 1


@pytest.mark.parametrize(("watermarks", "end"), [((0, 42), 42), ((-1001, -1001), None), (None, None)])
def test_the_end_is_known_after_the_first_fetch(
    client: ScriptedClient, watermarks: tuple[int, int] | None, end: int | None
) -> None:
    client.script["get_watermark_offsets"] = [watermarks]
    assert AssignedConsumer(SETTINGS).end_offset(("orders", 0)) == end


# ---- the admin


def answered(outcome: Any) -> Future[Any]:
    future: Future[Any] = Future()
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)
    return future


def offsets_answered(*outcomes: Any) -> list[Any]:
    return [{TopicPartition("orders", 0): answered(outcome)} for outcome in outcomes]


def create(client: ScriptedClient, outcome: Any) -> bool:
    client.script["create_topics"] = [{"orders": answered(outcome)}]
    return ClusterAdmin(SETTINGS).create_topic("orders", 3, {"cleanup.policy": "compact"})


def test_a_topic_is_created_with_partitions_and_configuration(client: ScriptedClient) -> None:
    assert create(client, None) is True
    new = client.calls[0][1][0][0]
    assert (new.topic, new.num_partitions, new.replication_factor) == ("orders", 3, -1)
    assert new.config == {"cleanup.policy": "compact"}


def test_a_topic_that_another_replica_created_first_is_fine(client: ScriptedClient) -> None:
    assert create(client, raised(KafkaError(KafkaError.TOPIC_ALREADY_EXISTS))) is False


@pytest.mark.parametrize("outcome", [raised(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)), TimeoutError()])
def test_a_topic_that_cannot_be_created_is_named(client: ScriptedClient, outcome: Exception) -> None:
    with pytest.raises(TransientError, match="create topic orders"):
        create(client, outcome)


def test_growing_a_topic_that_has_grown_is_fine(client: ScriptedClient) -> None:
    client.script["create_partitions"] = [{"orders": answered(raised(KafkaError(KafkaError.INVALID_PARTITIONS)))}]
    ClusterAdmin(SETTINGS).grow_topic("orders", 5)
    client.script["create_partitions"] = [{"orders": answered(TimeoutError())}]
    with pytest.raises(TransientError, match="grow topic orders to 5 partitions"):
        ClusterAdmin(SETTINGS).grow_topic("orders", 5)


def test_topics_that_are_missing_are_left_out(client: ScriptedClient) -> None:
    description = SimpleNamespace(topic_id="abc", partitions=(0, 1, 2))
    missing = raised(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
    client.script["describe_topics"] = [{"orders": answered(description), "gone": answered(missing)}]
    assert ClusterAdmin(SETTINGS).topics(["orders", "gone"]) == {"orders": TopicFacts("abc", 3)}


def test_a_topic_that_cannot_be_asked_about_is_no_missing_topic(client: ScriptedClient) -> None:
    for outcome in (raised(KafkaError(KafkaError._TRANSPORT)), TimeoutError()):
        client.script["describe_topics"] = [{"orders": answered(outcome)}]
        with pytest.raises(TransientError, match="describe topic orders"):
            ClusterAdmin(SETTINGS).topics(["orders"])


def test_whoever_knocks_is_answered_or_there_is_an_outage(client: ScriptedClient) -> None:
    """By whichever broker: the one that leads a certain partition may just be gone."""
    metadata = SimpleNamespace(topics={"orders": SimpleNamespace(error=KafkaError(KafkaError.LEADER_NOT_AVAILABLE))})
    client.script["list_topics"] = [raised(KafkaError(KafkaError._TRANSPORT)), metadata]
    admin = ClusterAdmin(SETTINGS)
    with pytest.raises(TransientError, match="ask the cluster"):
        admin.knock("orders")
    admin.knock("orders")
    assert (client.count("describe_cluster"), client.count("list_offsets")) == (0, 0)


def test_no_answer_is_never_taken_for_an_offset(client: ScriptedClient) -> None:
    """A lane that took it for the end of its positions would begin from nothing."""
    client.script["list_offsets"] = offsets_answered(SimpleNamespace(offset=OFFSET_INVALID))
    with pytest.raises(TransientError, match="offsets of orders-0: no answer in 5 s") as late:
        ClusterAdmin(SETTINGS).high_watermarks([("orders", 0)])
    assert late.value.reason == "TimedOut"


@pytest.mark.parametrize("code", [KafkaError.FENCED_LEADER_EPOCH, KafkaError.NOT_LEADER_FOR_PARTITION])
def test_whoever_has_missed_an_election_asks_again_with_a_new_client(client: ScriptedClient, code: int) -> None:
    stale = raised(KafkaError(code))
    client.script["list_offsets"] = offsets_answered(stale, SimpleNamespace(offset=7), stale, stale)
    admin = ClusterAdmin(SETTINGS)
    assert admin.last_stable([("orders", 0)]) == {("orders", 0): 7}
    assert client.made == 2
    with pytest.raises(TransientError):
        admin.last_stable([("orders", 0)])


def test_a_cluster_without_an_answer_is_an_outage(client: ScriptedClient) -> None:
    client.script["describe_cluster"] = [answered(TimeoutError())]
    with pytest.raises(TransientError, match="describe the cluster: no answer in 5 s") as outage:
        ClusterAdmin(SETTINGS).cluster_id()
    assert outage.value.reason == "TimedOut"


@pytest.mark.parametrize("call", ["serve", "send"])
def test_a_producer_that_learns_while_polling_that_it_was_fenced_says_so(client: ScriptedClient, call: str) -> None:
    client.script["poll"] = [raised(KafkaError(KafkaError._FENCED, fatal=True))]
    client.script["produce"] = [BufferError(), None]
    producer = TransactionalProducer(SETTINGS, lambda: None)
    with pytest.raises(FencedError):
        producer.serve() if call == "serve" else producer.send("orders", 2, None, b"v")


def test_a_consumer_that_fails_is_told_as_an_error_of_ours(client: ScriptedClient) -> None:
    client.script["consume"] = [raised(KafkaError(KafkaError._FATAL, fatal=True))]
    with pytest.raises(TransientError):
        AssignedConsumer(SETTINGS).poll(10, 0.1)


def test_a_record_that_no_queue_could_hold_is_named_and_not_waited_for(client: ScriptedClient) -> None:
    client.script["produce"] = [BufferError()]
    client.queued = 0
    with pytest.raises(OversizedRecord, match="3 bytes do not fit into an empty queue"):
        TransactionalProducer(SETTINGS, lambda: None).send("orders", 2, b"kk", b"v")
