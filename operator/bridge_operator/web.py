"""The operator's HTTP face on the management network: /healthz, /readyz, /status and /metrics, and the console.

Every answer says to browsers that it may be no more than it seems: nothing from elsewhere, in nobody's frame.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bridge_operator.report import OperatorReport

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # What is shown is what is now; files that have not changed are answered by 304.
    "Cache-Control": "no-cache",
}


class HeadersMiddleware:
    """Adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def build_app(
    report: Callable[[], OperatorReport], registry: CollectorRegistry, others: Sequence[BaseRoute] = ()
) -> Starlette:
    """The application. 503 stands for passes that are stuck (/healthz), and for nothing to go by (/readyz).

    `others` come behind its own routes.
    """

    def healthz(request: Request) -> Response:
        return _verdict([f"a pass over {one.bridge} takes {one.seconds:.0f} s by now" for one in report().stuckPasses])

    def readyz(request: Request) -> Response:
        current = report()
        faults = [] if current.engineReachable else [current.engineMessage]
        return _verdict([*faults, *([current.folderFault] if current.folderFault else [])])

    def show_status(request: Request) -> Response:
        return Response(report().model_dump_json(), media_type="application/json")

    def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(
        routes=[
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/status", show_status),
            Route("/metrics", metrics),
            *others,
        ],
        middleware=[Middleware(HeadersMiddleware)],
    )


def _verdict(faults: Sequence[str]) -> Response:
    return PlainTextResponse("".join(f"{fault}\n" for fault in faults) or "ok\n", 503 if faults else 200)
