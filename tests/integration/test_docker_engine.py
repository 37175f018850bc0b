"""The engine adapter against a real Docker engine: what the fake in the unit tests promises, the real one keeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bridge_operator.desired import ContainerSpec, Limits, Mount, NetworkLink
from bridge_operator.docker_engine import DockerEngine
from bridge_operator.engine import (
    BRIDGE_LABEL,
    INSTANCE_LABEL,
    Container,
    EngineEvent,
    EngineNotFound,
    EngineTransient,
    LogRequest,
    NameConflict,
)
from support.sleeper import build_sleeper
from support.stack import CommandFailed, Stack, wait_until

BRIDGE = "orders"
STOP_GRACE_SECONDS = 3
NETWORKS = ("network1", "network2", "network3")

# What the sleeper does when its file says so.
EXIT_70 = "echo 'exit 70' >/tmp/do.new; mv /tmp/do.new /tmp/do"
# The engine reads the two streams by themselves: what is written to both at once comes in any order.
WRITE_AND_END = (
    "echo 'echo one; sleep 1; echo ä two; sleep 0.5; echo three >&2; exit 0' >/tmp/do.new; mv /tmp/do.new /tmp/do"
)
USE_ALL_MEMORY = "echo 'exec tail /dev/zero' >/tmp/do.new; mv /tmp/do.new /tmp/do"


@pytest.fixture(scope="module", name="image")
def small_image(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> str:
    return build_sleeper(stack, tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module", name="engine")
def real_engine(stack: Stack) -> DockerEngine:
    socket = stack.engine_url()
    return DockerEngine(socket, stack.instance, STOP_GRACE_SECONDS)


@pytest.fixture(autouse=True)
def surroundings(stack: Stack, engine: DockerEngine) -> Iterator[None]:
    """Three networks and a volume as Compose makes them; no container outlives its test."""
    for name in NETWORKS:
        stack.make_network(name)
    stack.make_volume("tls")
    yield
    for container in engine.containers():
        stack.docker("rm", "--force", container.id, wanted=None)
    stack.docker("rm", "--force", f"{stack.instance}-{BRIDGE}-0", wanted=None)
    for name in NETWORKS:
        stack.docker("network", "rm", stack.network(name), wanted=None)
    stack.docker("volume", "rm", "--force", f"{stack.instance}_tls", wanted=None)


@pytest.fixture(name="spec")
def wanted_container(stack: Stack, engine: DockerEngine, image: str) -> ContainerSpec:
    """A replica on three networks with a volume, as `desired.render` would ask for it."""
    name = f"{stack.instance}-{BRIDGE}-0"
    networks = engine.networks()
    return ContainerSpec(
        name=name,
        bridge=BRIDGE,
        ordinal=0,
        image=image,
        imageId=engine.image_id(image) or "",
        user="10001:10001",
        environment=(("BRIDGE_CONFIG", '{"some": "json"}'),),
        mounts=(Mount(engine.volumes()["tls"], "/etc/kafka-bridge/tls/source"),),
        networks=tuple(NetworkLink(one, *networks[one], aliases=(name, "by-another-name")) for one in NETWORKS),
        schemaDigests=(),
        limits=Limits(64 * 2**20, 500_000_000, 64),
        healthCommand=("test", "!", "-f", "/tmp/ill"),
        specHash="hash-1",
    )


def only(engine: DockerEngine) -> Container:
    [container] = engine.containers(BRIDGE)
    return container


def ended(engine: DockerEngine) -> Container:
    """The one container, once the engine lists it as exited, which may be a moment after it has."""

    def probe() -> Container | None:
        container = only(engine)
        return container if container.state == "exited" else None

    return wait_until("the container has ended", probe, 20, 0.1)


def resolves(stack: Stack, spec: ContainerSpec, network: str, name: str) -> set[str]:
    """The addresses that `name` has for others on a network."""
    answer = stack.docker("run", "--rm", "--network", network, spec.image, "getent", "ahostsv4", name, wanted=None)
    return {line.split()[0] for line in answer.splitlines()}


def test_a_created_container_is_on_all_its_networks_under_its_aliases(
    stack: Stack, engine: DockerEngine, spec: ContainerSpec
) -> None:
    containerId = engine.create(spec, generation=7)
    engine.start(containerId)

    found = only(engine)
    assert found.id == containerId
    assert (found.name, found.bridge, found.ordinal) == (spec.name, BRIDGE, 0)
    assert (found.generation, found.specHash, found.state) == (7, "hash-1", "running")
    assert set(found.endpoints) == {stack.network(name) for name in NETWORKS}
    assert {one.networkId for one in found.endpoints.values()} == {link.networkId for link in spec.networks}
    assert len({one.address for one in found.endpoints.values()}) == 3
    for link in spec.networks:
        for alias in link.aliases:
            assert resolves(stack, spec, link.engineName, alias) == {found.endpoints[link.engineName].address}


def test_a_created_container_is_confined(stack: Stack, engine: DockerEngine, spec: ContainerSpec) -> None:
    containerId = engine.create(spec, generation=1)
    engine.start(containerId)

    fields = ("ReadonlyRootfs", "CapDrop", "SecurityOpt", "Memory", "CpuQuota", "CpuPeriod", "PidsLimit")
    host = " ".join(f"{{{{.HostConfig.{field}}}}}" for field in fields)
    host += " {{.HostConfig.RestartPolicy.Name}} {{.Config.User}}"
    assert stack.docker("inspect", "--format", host, containerId) == (
        "true [ALL] [no-new-privileges:true] 67108864 50000 100000 64 no 10001:10001"
    )
    assert stack.docker("exec", containerId, "id", "-u") == "10001"
    for folder in ("/etc", "/etc/kafka-bridge/tls/source"):
        with pytest.raises(CommandFailed, match="Read-only file system"):
            stack.docker("exec", containerId, "touch", f"{folder}/x")
    assert stack.docker("exec", containerId, "sh", "-c", "echo $BRIDGE_CONFIG") == '{"some": "json"}'


def test_creating_again_adopts_what_is_there(engine: DockerEngine, spec: ContainerSpec) -> None:
    first = engine.create(spec, generation=1)

    assert engine.create(spec, generation=1) == first
    assert only(engine).state == "created"


def test_a_container_of_another_spec_is_not_adopted(engine: DockerEngine, spec: ContainerSpec) -> None:
    engine.create(spec, generation=1)

    with pytest.raises(EngineTransient):
        engine.create(replace(spec, specHash="hash-2"), generation=2)


def test_a_foreign_container_of_that_name_is_a_conflict_and_left_alone(
    stack: Stack, engine: DockerEngine, spec: ContainerSpec, image: str
) -> None:
    foreign = stack.docker("run", "--detach", "--name", spec.name, image)

    with pytest.raises(NameConflict, match=spec.name):
        engine.create(spec, generation=1)

    assert engine.containers() == []
    assert stack.docker("inspect", "--format", "{{.State.Status}}", foreign) == "running"


def test_states_are_told_as_the_engine_has_them(stack: Stack, engine: DockerEngine, spec: ContainerSpec) -> None:
    containerId = engine.create(spec, generation=1)
    assert (only(engine).state, only(engine).exitCode) == ("created", None)

    engine.start(containerId)
    assert (only(engine).state, only(engine).health, only(engine).exitCode) == ("running", "starting", None)

    stack.docker("pause", containerId)
    assert only(engine).state == "paused"
    engine.unpause(containerId)
    assert only(engine).state == "running"

    stack.docker("exec", containerId, "sh", "-c", EXIT_70)
    assert (ended(engine).exitCode, ended(engine).health) == (70, "")


def test_a_container_without_enough_memory_is_seen_to_end(
    stack: Stack, engine: DockerEngine, spec: ContainerSpec
) -> None:
    containerId = engine.create(spec, generation=1)
    engine.start(containerId)

    stack.docker("exec", containerId, "sh", "-c", USE_ALL_MEMORY)

    assert ended(engine).exitCode == 137


def test_limits_are_told_and_set_while_it_runs(stack: Stack, engine: DockerEngine, spec: ContainerSpec) -> None:
    containerId = engine.create(spec, generation=1)
    engine.start(containerId)
    assert engine.limits(containerId) == spec.limits

    changes = ("--memory", "128m", "--memory-swap", "256m", "--cpu-quota", "200000", "--pids-limit", "-1")
    stack.docker("update", *changes, spec.name)
    assert engine.limits(containerId) == Limits(128 * 2**20, 2 * 10**9, 0)
    engine.set_limits(containerId, spec.limits)

    assert engine.limits(containerId) == spec.limits


def test_more_cores_than_the_machine_has_are_no_mistake(engine: DockerEngine, spec: ContainerSpec) -> None:
    """The default of a manifest has to do on a machine of one core too."""
    many = replace(spec, limits=replace(spec.limits, nanoCpus=1000 * 10**9))
    containerId = engine.create(many, generation=1)
    engine.start(containerId)
    assert engine.limits(containerId) == many.limits


def test_limits_of_a_container_that_was_made_by_nano_cpus_are_set_too(
    stack: Stack, engine: DockerEngine, spec: ContainerSpec
) -> None:
    """So did an earlier version; the engine lets nobody go over from one way to the other."""
    label = f"bridge.kafka/instance={stack.instance}"
    containerId = stack.docker("create", "--label", label, "--cpus", "0.25", "--name", spec.name, spec.image)
    assert engine.limits(containerId).nanoCpus == 250_000_000
    engine.set_limits(containerId, spec.limits)
    assert engine.limits(containerId) == spec.limits


def test_health_is_told(stack: Stack, engine: DockerEngine, spec: ContainerSpec) -> None:
    containerId = engine.create(spec, generation=1)
    engine.start(containerId)

    wait_until("the container is healthy", lambda: only(engine).health == "healthy", 30, 0.5)


def test_a_network_that_was_cut_is_connected_again_with_its_aliases(
    stack: Stack, engine: DockerEngine, spec: ContainerSpec
) -> None:
    containerId = engine.create(spec, generation=1)
    engine.start(containerId)
    link = spec.networks[2]

    engine.disconnect(containerId, link.engineName)
    assert link.engineName not in only(engine).endpoints

    engine.connect(containerId, link.networkId, link.aliases)
    endpoint = only(engine).endpoints[link.engineName]
    assert endpoint.networkId == link.networkId
    for alias in link.aliases:
        assert resolves(stack, spec, link.engineName, alias) == {endpoint.address}


def test_a_network_that_was_made_again_is_taken_in_place_of_the_old(
    stack: Stack, engine: DockerEngine, spec: ContainerSpec
) -> None:
    containerId = engine.create(spec, generation=1)
    engine.start(containerId)
    old = spec.networks[0]
    stack.docker("network", "disconnect", "--force", old.engineName, containerId)
    stack.docker("network", "rm", old.engineName)
    stack.make_network(old.name)
    newId, engineName = engine.networks()[old.name]
    assert newId != old.networkId

    with pytest.raises(EngineNotFound):
        engine.connect(containerId, old.networkId, old.aliases)
    engine.connect(containerId, newId, old.aliases)

    assert only(engine).endpoints[engineName].networkId == newId
    engine.restart(containerId)
    assert all(one.address for one in only(engine).endpoints.values())


def test_a_network_made_again_while_a_container_was_stopped_is_found_by_its_name(
    stack: Stack, engine: DockerEngine, spec: ContainerSpec
) -> None:
    containerId = engine.create(spec, generation=1)
    old = spec.networks[0]
    stack.docker("network", "rm", old.engineName)
    stack.make_network(old.name)

    engine.start(containerId)

    newId = engine.networks()[old.name][0]
    assert only(engine).endpoints[old.engineName].networkId == newId != old.networkId


def test_a_container_whose_network_is_gone_does_not_start(
    stack: Stack, engine: DockerEngine, spec: ContainerSpec
) -> None:
    containerId = engine.create(spec, generation=1)
    stack.docker("network", "rm", spec.networks[0].engineName)

    with pytest.raises(EngineNotFound, match=spec.networks[0].engineName):
        engine.start(containerId)
    assert only(engine).state != "running"


def test_renaming_frees_the_name_for_a_successor(engine: DockerEngine, spec: ContainerSpec) -> None:
    old = engine.create(spec, generation=1)
    engine.rename(old, spec.retiredName)

    new = engine.create(replace(spec, specHash="hash-2"), generation=2)

    assert {(one.id, one.name) for one in engine.containers()} == {(old, spec.retiredName), (new, spec.name)}


def test_stop_lets_a_program_end_by_itself(engine: DockerEngine, spec: ContainerSpec) -> None:
    containerId = engine.create(spec, generation=1)
    engine.start(containerId)
    began = time.monotonic()

    engine.stop(containerId)

    assert time.monotonic() - began < STOP_GRACE_SECONDS
    assert only(engine).exitCode == 0


def test_a_stop_that_is_over_is_listed(engine: DockerEngine, spec: ContainerSpec) -> None:
    """The engine's own is not, every fourth time: who looks at once would stop it once more."""
    containerId = engine.create(spec, generation=1)
    states = []
    for _ in range(20):
        engine.start(containerId)
        engine.stop(containerId)
        states.append(only(engine).state)
    assert states == ["exited"] * 20


def test_stop_kills_after_its_grace(stack: Stack, engine: DockerEngine, spec: ContainerSpec) -> None:
    stubborn = f"{spec.image}-stubborn"
    name = f"{stack.instance}-deaf"
    stack.docker("run", "--name", name, spec.image, "true")
    labels = f"LABEL com.docker.compose.project={stack.instance}"
    stack.docker("commit", "--change", 'CMD ["sleep", "600"]', "--change", labels, name, stubborn)
    stack.docker("rm", name)
    containerId = engine.create(replace(spec, image=stubborn), generation=1)
    engine.start(containerId)
    began = time.monotonic()

    engine.stop(containerId)

    assert STOP_GRACE_SECONDS <= time.monotonic() - began < STOP_GRACE_SECONDS + 10
    assert only(engine).exitCode == 137


def test_remove_takes_a_running_container_away(engine: DockerEngine, spec: ContainerSpec) -> None:
    containerId = engine.create(spec, generation=1)
    engine.start(containerId)

    engine.remove(containerId)

    assert engine.containers() == []
    with pytest.raises(EngineNotFound):
        engine.remove(containerId)


ON_NOTHING: list[tuple[str, Callable[[DockerEngine], object]]] = [
    ("start", lambda engine: engine.start("nothing-of-that-name")),
    ("stop", lambda engine: engine.stop("nothing-of-that-name")),
    ("restart", lambda engine: engine.restart("nothing-of-that-name")),
    ("remove", lambda engine: engine.remove("nothing-of-that-name")),
    ("rename", lambda engine: engine.rename("nothing-of-that-name", "other")),
    ("unpause", lambda engine: engine.unpause("nothing-of-that-name")),
    ("connect", lambda engine: engine.connect("nothing-of-that-name", "no-such-network", ())),
    ("disconnect", lambda engine: engine.disconnect("nothing-of-that-name", "no-such-network")),
    ("limits", lambda engine: engine.limits("nothing-of-that-name")),
    ("set_limits", lambda engine: engine.set_limits("nothing-of-that-name", Limits(64 * 2**20, 0, 64))),
    ("logs", lambda engine: list(engine.logs("nothing-of-that-name", LogRequest()))),
]


@pytest.mark.parametrize("call", [call for _, call in ON_NOTHING], ids=[name for name, _ in ON_NOTHING])
def test_what_is_gone_is_not_found(engine: DockerEngine, call: Callable[[DockerEngine], object]) -> None:
    with pytest.raises(EngineNotFound):
        call(engine)


def test_an_image_that_is_not_there_has_no_id(engine: DockerEngine, spec: ContainerSpec) -> None:
    assert engine.image_id("nothing-of-that-name") is None
    with pytest.raises(EngineNotFound):
        engine.create(replace(spec, image="nothing-of-that-name"), generation=1)


def test_two_instances_do_not_see_each_other(engine: DockerEngine, spec: ContainerSpec) -> None:
    engine.create(spec, generation=1)
    other = DockerEngine(engine._baseUrl, f"{engine._instance}-other", STOP_GRACE_SECONDS)

    assert other.containers() == []
    assert other.networks() == {}
    assert other.volumes() == {}
    with pytest.raises(NameConflict):
        other.create(spec, generation=1)


def test_events_of_this_instance_arrive_and_the_stream_ends(
    stack: Stack, engine: DockerEngine, spec: ContainerSpec
) -> None:
    # The engine goes by whole seconds, so it may also tell of the containers of former tests: hence a name of its own.
    told = replace(spec, bridge="told")
    since = time.time()
    containerId = engine.create(told, generation=1)
    engine.start(containerId)
    engine.disconnect(containerId, told.networks[0].engineName)
    engine.stop(containerId)
    engine.remove(containerId)
    foreign = [f"--label={INSTANCE_LABEL}=another", f"--label={BRIDGE_LABEL}=foreign"]
    stack.docker("run", "--rm", *foreign, told.image, "true")

    events: list[EngineEvent] = list(engine.events(since, time.time() + 2))

    actions = [event.action for event in events if event.bridge == told.bridge]
    assert [one for one in actions if one in ("create", "start", "die", "destroy")] == [
        "create",
        "start",
        "die",
        "destroy",
    ]
    assert "disconnect" in {event.action for event in events if event.bridge == ""}
    assert {event.bridge for event in events} <= {told.bridge, BRIDGE, ""}
    assert [event.time for event in events] == sorted(event.time for event in events)
    assert events[0].time >= since - 1


def test_an_event_arrives_when_it_happens(engine: DockerEngine, spec: ContainerSpec) -> None:
    until = time.time() + 20
    stream = engine.events(time.time(), until)
    engine.create(spec, generation=1)

    assert next(event for event in stream if event.bridge == BRIDGE).action == "create"
    assert time.time() < until - 5


def test_logs_are_told_whole_cut_and_as_they_are_written(
    stack: Stack, engine: DockerEngine, spec: ContainerSpec
) -> None:
    containerId = engine.create(spec, generation=1)
    engine.start(containerId)
    followed = engine.logs(containerId, LogRequest(follow=True))
    stack.docker("exec", containerId, "sh", "-c", WRITE_AND_END)

    # Ends with the container, though there was silence before the first line.
    assert list(followed) == ["one", "ä two", "three"]
    assert list(engine.logs(containerId, LogRequest())) == ["one", "ä two", "three"]
    assert list(engine.logs(containerId, LogRequest(tail=1))) == ["three"]
    assert list(engine.logs(containerId, LogRequest(since=time.time() + 60))) == []
    [line] = engine.logs(containerId, LogRequest(tail=1, timestamps=True))
    assert datetime.fromisoformat(line.split()[0][:19]) <= datetime.now(UTC).replace(tzinfo=None)


def test_an_engine_that_does_not_answer_is_transient(tmp_path: Path) -> None:
    nobody = DockerEngine(f"unix://{tmp_path}/no.sock", "any", STOP_GRACE_SECONDS)

    with pytest.raises(EngineTransient, match="does not answer"):
        nobody.containers()
    with pytest.raises(EngineTransient):
        next(iter(nobody.events(0, 1)))
