"""The web application: Streamlit's pages, the live socket and the component's files, one port."""

from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from dashboard.live import Live
from dashboard.sockets import LiveSocket

HERE = Path(__file__).parent
ASSETS = "/ecg/assets"
"""Where the browser finds the component's files.

They are served here and not by Streamlit's component registry: that finds only installed
distributions, and lets browsers keep old files after an upgrade.
"""


class _Fresh(StaticFiles):
    """Files that the browser asks about each time: a new version is seen at once."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file, to be revalidated."""
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        return response


def make_app(live: Live) -> st.App:
    """Return the application; ``run_dashboard`` runs it.

    Parameters
    ----------
    live : Live
        The view that the socket sends from.
    """

    async def health(_: Request) -> Response:
        troubles = live.view.troubles()
        return JSONResponse(
            {
                "patients": len(live.view.patients()),
                "down": [trouble.part for trouble in troubles],
            },
            status_code=503 if troubles else 200,
        )

    return st.App(
        HERE / "app.py",
        routes=[
            WebSocketRoute("/ecg/ws", LiveSocket(live.view, live.actions, live.gate).serve),
            Route("/ecg/health", health),
            Mount(ASSETS, _Fresh(directory=HERE / "waveform")),
        ],
    )
