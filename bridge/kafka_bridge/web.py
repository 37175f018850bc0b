"""The replica's HTTP face on the management network: /healthz, /readyz, /status and /metrics."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from kafka_bridge.status import BridgeStatus


def build_app(
    status: Callable[[], BridgeStatus], isAlive: Callable[[], bool], registry: CollectorRegistry
) -> Starlette:
    """The application. 503 stands for not alive (/healthz) and not ready (/readyz)."""

    def healthz(request: Request) -> Response:
        return PlainTextResponse("ok\n") if isAlive() else PlainTextResponse("a lane does not turn\n", 503)

    def readyz(request: Request) -> Response:
        current = status()
        if current.ready:
            return PlainTextResponse("ok\n")
        clusters = (current.source, current.target)
        faults = [f"cluster {one.name} does not answer" for one in clusters if not one.reachable]
        faults += [f"source topic {topic} is missing" for topic in current.missingTopics]
        faults += [f"lane {one.lane} is {one.state} {one.reason}" for one in current.lanes if one.state != "Copying"]
        return PlainTextResponse("\n".join(faults) + "\n", 503)

    def show_status(request: Request) -> Response:
        return Response(status().model_dump_json(), media_type="application/json")

    def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/status", show_status),
            Route("/metrics", metrics),
        ]
    )
