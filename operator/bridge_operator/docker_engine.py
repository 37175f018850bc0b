"""The engine behind the seam: the only module that knows docker."""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import docker
import requests
from docker.errors import APIError, DockerException, NotFound, create_api_error_from_http_exception

from bridge_operator.desired import ContainerSpec, Limits
from bridge_operator.engine import (
    BRIDGE_LABEL,
    GENERATION_LABEL,
    INSTANCE_LABEL,
    ORDINAL_LABEL,
    SPEC_HASH_LABEL,
    Container,
    Endpoint,
    EngineEvent,
    EngineNotFound,
    EngineTransient,
    LogRequest,
    NameConflict,
)

Value = TypeVar("Value")

COMPOSE_PROJECT_LABEL = "com.docker.compose.project"

MINIMUM_API = "1.44"  # several networks in one create call
CALL_SECONDS = 30
# Beyond its grace the engine may take ten more seconds after SIGKILL.
STOP_EXTRA_SECONDS = 20
# How long the engine's list may tell of a container as running that has been stopped; then somebody has started it.
LISTED_SECONDS = 1.0
LIST_AGAIN_SECONDS = 0.005
NANOSECONDS = 1_000_000_000
# Of a limit on cores: so much of their time, in microseconds, may be used in each such period.
CPU_PERIOD_US = 100_000

# Events that can change what a pass would do; health checks alone make three others each time.
EVENT_ACTIONS = (
    "create", "start", "die", "oom", "stop", "kill", "pause", "unpause", "destroy", "rename", "update",
    "health_status", "connect", "disconnect",
)  # fmt: skip


class DockerEngine:
    """The engine behind `baseUrl`, limited to what carries this instance's label."""

    def __init__(self, baseUrl: str, instance: str, stopGraceSeconds: int) -> None:
        self._baseUrl = baseUrl
        self._instance = instance
        self._stopGraceSeconds = stopGraceSeconds
        self._local = threading.local()

    def containers(self, bridge: str | None = None) -> list[Container]:
        labels = [f"{INSTANCE_LABEL}={self._instance}"] + ([f"{BRIDGE_LABEL}={bridge}"] if bridge else [])
        listed = self._call(lambda api: api.containers(all=True, filters={"label": labels}))
        return [_container_of(entry) for entry in listed if entry.get("Labels", {}).get(BRIDGE_LABEL)]

    def networks(self) -> dict[str, tuple[str, str]]:
        listed = self._call(lambda api: api.networks(filters={"label": f"{COMPOSE_PROJECT_LABEL}={self._instance}"}))
        return {
            entry["Labels"].get("com.docker.compose.network", entry["Name"]): (entry["Id"], entry["Name"])
            for entry in listed
        }

    def volumes(self) -> dict[str, str]:
        listed = self._call(lambda api: api.volumes(filters={"label": f"{COMPOSE_PROJECT_LABEL}={self._instance}"}))
        return {
            entry["Labels"].get("com.docker.compose.volume", entry["Name"]): entry["Name"]
            for entry in listed.get("Volumes") or []
        }

    def image_id(self, image: str) -> str | None:
        try:
            return str(self._call(lambda api: api.inspect_image(image))["Id"])  # type: ignore[no-untyped-call]
        except EngineNotFound:
            return None

    def limits(self, containerId: str) -> Limits:
        host = self._host_config(containerId)
        quota, period = max(host["CpuQuota"] or 0, 0), host["CpuPeriod"] or CPU_PERIOD_US
        nanoCpus = host["NanoCpus"] or quota * 10**9 // period
        # A limit that was lifted is told as nothing, or as -1.
        return Limits(max(host["Memory"] or 0, 0), nanoCpus, max(host["PidsLimit"] or 0, 0))

    def set_limits(self, containerId: str, limits: Limits) -> None:
        # What was made under one of the two ways to limit cores cannot go over to the other.
        isNano = bool(self._host_config(containerId)["NanoCpus"])
        cores = (
            {"NanoCpus": limits.nanoCpus} if isNano else {"CpuPeriod": CPU_PERIOD_US, "CpuQuota": _cpu_quota(limits)}
        )
        # docker's client knows neither NanoCpus nor PidsLimit here.
        wanted = cores | {
            "Memory": limits.memoryBytes,
            "MemorySwap": limits.memoryBytes,
            "PidsLimit": limits.pids,
        }

        def call(api: docker.APIClient) -> None:
            url = f"{api.base_url}/v{api.api_version}/containers/{containerId}/update"
            try:
                api.post(url, json=wanted, timeout=CALL_SECONDS).raise_for_status()
            except requests.HTTPError as error:
                create_api_error_from_http_exception(error)

        self._call(call)

    def create(self, spec: ContainerSpec, generation: int) -> str:
        """Create, attached to all its networks. NameConflict where the name belongs to somebody else."""

        def call(api: docker.APIClient) -> str:
            hostConfig = api.create_host_config(
                mounts=[
                    docker.types.Mount(target=mount.target, source=mount.volume, type="volume", read_only=True)
                    for mount in spec.mounts
                ],
                mem_limit=spec.limits.memoryBytes,
                # No swap: what is beyond its memory is killed, not slowed down.
                memswap_limit=spec.limits.memoryBytes,
                # An engine refuses NanoCpus beyond the cores that it has; a limit above that is no mistake.
                cpu_period=CPU_PERIOD_US,
                cpu_quota=_cpu_quota(spec.limits),
                pids_limit=spec.limits.pids,
                read_only=True,
                cap_drop=["ALL"],
                security_opt=["no-new-privileges:true"],
                restart_policy={"Name": "no"},
                tmpfs={"/tmp": "mode=1777,size=16m"},
                log_config=docker.types.LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"}),
            )
            endpoints = {
                network.engineName: api.create_endpoint_config(aliases=list(network.aliases))
                for network in spec.networks
            }
            created = api.create_container(
                image=spec.image,
                name=spec.name,
                user=spec.user,
                environment=dict(spec.environment),
                labels={
                    INSTANCE_LABEL: self._instance,
                    BRIDGE_LABEL: spec.bridge,
                    ORDINAL_LABEL: str(spec.ordinal),
                    GENERATION_LABEL: str(generation),
                    SPEC_HASH_LABEL: spec.specHash,
                },
                healthcheck=docker.types.Healthcheck(
                    test=["CMD", *spec.healthCommand],
                    interval=10 * NANOSECONDS,
                    timeout=5 * NANOSECONDS,
                    retries=3,
                    start_period=30 * NANOSECONDS,
                ),
                host_config=hostConfig,
                networking_config={"EndpointsConfig": endpoints},
            )
            return str(created["Id"])

        try:
            return self._call(call)
        except EngineTransient:
            # The call may have succeeded, or the name may be taken: only a look tells.
            existing = self._inspect(spec.name)
            if existing is None:
                raise
            labels = existing["Config"]["Labels"] or {}
            if labels.get(INSTANCE_LABEL) == self._instance and labels.get(SPEC_HASH_LABEL) == spec.specHash:
                return str(existing["Id"])
            if labels.get(INSTANCE_LABEL) != self._instance:
                raise NameConflict(
                    f"container {spec.name} exists and is not this operator's (it lacks the label "
                    f"{INSTANCE_LABEL}={self._instance}); remove or rename it"
                ) from None
            raise

    def start(self, containerId: str) -> None:
        self._call(lambda api: api.start(containerId))

    def stop(self, containerId: str) -> None:
        self._call(lambda api: api.stop(containerId, timeout=self._stopGraceSeconds), self._stopGraceSeconds)
        self._await_end(containerId)

    def restart(self, containerId: str) -> None:
        self._call(lambda api: api.restart(containerId, timeout=self._stopGraceSeconds), self._stopGraceSeconds)

    def remove(self, containerId: str) -> None:
        self._call(lambda api: api.remove_container(containerId, force=True, v=True))

    def rename(self, containerId: str, name: str) -> None:
        self._call(lambda api: api.rename(containerId, name))

    def unpause(self, containerId: str) -> None:
        self._call(lambda api: api.unpause(containerId))

    def connect(self, containerId: str, networkId: str, aliases: tuple[str, ...]) -> None:
        self._call(lambda api: api.connect_container_to_network(containerId, networkId, aliases=list(aliases)))

    def disconnect(self, containerId: str, network: str) -> None:
        self._call(lambda api: api.disconnect_container_from_network(containerId, network, force=True))

    def logs(self, containerId: str, wanted: LogRequest) -> Iterator[str]:
        def call(api: docker.APIClient) -> Iterator[bytes]:
            stream: Iterator[bytes] = api.logs(
                containerId,
                stream=True,
                follow=wanted.follow,
                timestamps=wanted.timestamps,
                tail="all" if wanted.tail is None else wanted.tail,
                since=wanted.since,
            )
            return stream

        rest = b""
        try:
            for chunk in self._call(call):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from (line.decode("utf-8", "replace") for line in lines)
        except (DockerException, requests.RequestException, OSError) as error:
            raise EngineTransient(f"the log ends early: {_innermost(error)}") from error
        if rest:
            yield rest.decode("utf-8", "replace")

    def events(self, since: float, until: float) -> Iterator[EngineEvent]:
        """Events of this instance from `since`; the stream ends by itself at `until`, so that none lives for ever."""
        try:
            stream = self._api().events(
                # Whole seconds, as docker's client wants them; rounded outwards, so that nothing falls between.
                since=math.floor(since),
                until=math.ceil(until),
                decode=True,
                filters={"type": ["container", "network"], "event": list(EVENT_ACTIONS)},
            )
            for entry in stream:
                actor = entry.get("Actor", {})
                attributes = actor.get("Attributes", {})
                happened, action = entry.get("timeNano", 0) / NANOSECONDS, str(entry.get("Action"))
                if entry.get("Type") == "network":
                    yield EngineEvent(happened, "", action, attributes.get("container", ""))
                elif attributes.get(INSTANCE_LABEL) == self._instance and attributes.get(BRIDGE_LABEL):
                    yield EngineEvent(happened, attributes[BRIDGE_LABEL], action, actor.get("ID", ""))
        except (DockerException, requests.RequestException, OSError, ValueError) as error:
            raise EngineTransient(f"events: {error}") from error

    def _await_end(self, containerId: str) -> None:
        """A stop returns before the engine's list tells of it, every fourth time or so, for some milliseconds."""
        deadline = time.monotonic() + LISTED_SECONDS
        running = {"id": containerId, "status": "running"}
        while self._call(lambda api: api.containers(filters=running)) and time.monotonic() < deadline:
            time.sleep(LIST_AGAIN_SECONDS)

    def _host_config(self, containerId: str) -> Any:
        return self._call(lambda api: api.inspect_container(containerId))["HostConfig"]

    def _inspect(self, name: str) -> Any:
        try:
            return self._call(lambda api: api.inspect_container(name))
        except EngineNotFound:
            return None

    def _api(self) -> docker.APIClient:
        """A client for each thread: connections are not shared."""
        api = getattr(self._local, "api", None)
        if api is None:
            api = docker.APIClient(base_url=self._baseUrl, version="auto", timeout=CALL_SECONDS)
            if tuple(map(int, api.api_version.split("."))) < tuple(map(int, MINIMUM_API.split("."))):
                raise EngineTransient(f"the engine speaks API {api.api_version}, {MINIMUM_API} or newer is needed")
            self._local.api = api
        return api

    def _call(self, call: Callable[[docker.APIClient], Value], extraSeconds: int = 0) -> Value:
        try:
            api = self._api()
            api.timeout = CALL_SECONDS + (extraSeconds + STOP_EXTRA_SECONDS if extraSeconds else 0)
            return call(api)
        except NotFound as error:
            raise EngineNotFound(str(error.explanation or error)) from error
        except APIError as error:
            raise EngineTransient(str(error.explanation or error)) from error
        except (DockerException, requests.RequestException, OSError) as error:
            self._local.api = None
            raise EngineTransient(f"the engine does not answer: {_innermost(error)}") from error


_EXITED = re.compile(r"^Exited \((\d+)\)")
_HEALTH = re.compile(r"\((healthy|unhealthy|health: starting)\)")


def _container_of(entry: dict[str, Any]) -> Container:
    labels, status = entry["Labels"], entry.get("Status", "")
    exited, health = _EXITED.match(status), _HEALTH.search(status)
    networks = (entry.get("NetworkSettings") or {}).get("Networks") or {}
    return Container(
        id=entry["Id"],
        # A container linked from another has further names, which contain a slash.
        name=next((name[1:] for name in entry.get("Names") or [] if "/" not in name[1:]), ""),
        bridge=labels[BRIDGE_LABEL],
        ordinal=_number(labels.get(ORDINAL_LABEL), -1),
        generation=_number(labels.get(GENERATION_LABEL), 0),
        specHash=labels.get(SPEC_HASH_LABEL, ""),
        state=entry["State"],
        health=health.group(1).removeprefix("health: ") if health else "",
        exitCode=int(exited.group(1)) if exited else None,
        createdAt=float(entry.get("Created", time.time())),
        endpoints={
            name: Endpoint(endpoint.get("NetworkID", ""), endpoint.get("IPAddress", ""))
            for name, endpoint in networks.items()
        },
    )


def _cpu_quota(limits: Limits) -> int:
    return limits.nanoCpus * CPU_PERIOD_US // 10**9


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdigit() else default


def _innermost(error: BaseException) -> str:
    while error.__cause__ is not None or error.__context__ is not None:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return str(error) or type(error).__name__
