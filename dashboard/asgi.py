"""The web application: Streamlit's pages, the live socket and the component's files, one port."""

import logging
from pathlib import Path
from typing import ClassVar

import streamlit as st
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from dashboard.access import Gate
from dashboard.live import Live
from dashboard.sockets import REFUSED, LiveSocket

logger = logging.getLogger(__name__)

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


class OnlyOurNames:
    """Answers only under our own names, so that no other site can point its name here.

    Everything is guarded: pages, files, Streamlit's socket and ours.
    """

    def __init__(self, app: ASGIApp, gate: Gate) -> None:
        self._app = app
        self._gate = gate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or say which name is missing."""
        if scope["type"] in ("http", "websocket"):
            host = Headers(scope=scope).get("host")
            if not self._gate.knows(host):
                logger.warning("refused a request to the name %s", host)
                if scope["type"] == "websocket":
                    await WebSocketClose(REFUSED)(scope, receive, send)
                else:
                    words = (
                        "RhythmWatch's dashboard is not known under this name. Whoever runs it can "
                        "add the name to RHYTHMWATCH_DASHBOARD_NAMES.\n"
                    )
                    await PlainTextResponse(words, status_code=421)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class NoDialogs:
    """Lets Streamlit open no dialog when its connection is lost.

    It would lie over SYSTEM DOWN and the next step, and keep the whole page from being used. There
    is no setting for it: the page asks the server for this before it connects.
    """

    ANSWER: ClassVar = {
        "allowedOrigins": [],
        "useExternalAuthToken": False,
        "enableCustomParentMessages": False,
        "enforceDownloadInNewTab": False,
        "metricsUrl": "",
        "blockErrorDialogs": True,
        "resourceCrossOriginMode": None,
    }

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the page's question ourselves, pass on everything else."""
        ours = scope["type"] == "http" and scope["path"] == "/_stcore/host-config"
        answer = JSONResponse(self.ANSWER, headers={"Cache-Control": "no-cache"})
        await (answer if ours else self._app)(scope, receive, send)


def make_app(live: Live) -> st.App:
    """Return the application; ``run_dashboard`` runs it.

    Parameters
    ----------
    live : Live
        The view that the socket sends from.
    """

    async def health(_: Request) -> Response:
        down = sorted({trouble.part for trouble in live.down()})
        return JSONResponse(
            {"patients": len(live.view.patients()), "down": down},
            status_code=503 if down else 200,
        )

    async def central(_: Request) -> Response:
        return RedirectResponse("/")

    return st.App(
        HERE / "app.py",
        routes=[
            WebSocketRoute("/ecg/ws", LiveSocket(live.view, live.actions, live.gate).serve),
            Route("/ecg/health", health),
            # the one page that Streamlit knows by no name
            Route("/central", central),
            Mount(ASSETS, _Fresh(directory=HERE / "waveform")),
        ],
        middleware=[Middleware(OnlyOurNames, gate=live.gate), Middleware(NoDialogs)],
    )
