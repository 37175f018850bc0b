"""What the console is made of: the page with its files, and the figures that it asks for beside the report.

The page is plain HTML, CSS and JavaScript in the folder page/. All its paths are relative, so that a proxy may serve
it below a prefix.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from bridge_operator.history import History
from bridge_operator.recent_events import RecentEvents

PAGE_FOLDER = Path(__file__).parent / "page"


def console_routes(history: History, events: RecentEvents, links: Mapping[str, str]) -> list[BaseRoute]:
    """`links` leads to other pages behind the same proxy, path by name. To be put behind all other routes."""

    def show_history(request: Request) -> Response:
        """?after=SECONDS: points that are younger alone."""
        try:
            after = float(request.query_params.get("after", "0"))
        except ValueError:
            return PlainTextResponse("after: expected seconds since the epoch\n", 400)
        return Response(history.report(after).model_dump_json(), media_type="application/json")

    def show_events(request: Request) -> Response:
        """Asked all the time, and seldom new."""
        tag = f'"{events.version}"'
        if request.headers.get("if-none-match", "").removeprefix("W/") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(events.report().model_dump_json(), media_type="application/json", headers={"ETag": tag})

    def show_links(request: Request) -> Response:
        return JSONResponse(dict(links))

    return [
        Route("/history", show_history),
        Route("/events", show_events),
        Route("/links", show_links),
        Mount("/", StaticFiles(directory=PAGE_FOLDER, html=True)),
    ]
