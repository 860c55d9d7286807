"""The live socket: what is new goes to the screen every tick, what is asked for comes back."""

import asyncio
import logging
from typing import Any

import msgspec
from starlette.websockets import WebSocket, WebSocketDisconnect

from dashboard.access import TOKEN_S, Gate, Pass
from dashboard.feed import SNAPSHOT_S, TICK_S, Feed
from stream.actions import Actions, BrokerError
from stream.view import View

logger = logging.getLogger(__name__)

REFUSED = 4403
EXPIRED = 4401
FAILED = 1011
RENEW_S = TOKEN_S / 3
_json = msgspec.json.Encoder()


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a screen asks for: to acknowledge one alarm, or to be quiet for a while."""

    type: str
    patient: str
    alarm_id: str | None = None
    seconds: float | None = None


_ask = msgspec.json.Decoder(Ask)


class LiveSocket:
    """The endpoint of the WebSocket route.

    Parameters
    ----------
    view : View
        What is shown.
    actions : Actions
        Where acknowledgements go.
    gate : Gate
        Who may open it.
    """

    def __init__(self, view: View, actions: Actions, gate: Gate) -> None:
        self._view = view
        self._actions = actions
        self._gate = gate

    async def serve(self, socket: WebSocket) -> None:
        """Serve one screen until it or the server goes."""
        headers = socket.headers
        if not self._gate.same_origin(origin=headers.get("origin"), host=headers.get("host")):
            logger.warning("refused a socket from origin %s", headers.get("origin"))
            await socket.close(REFUSED)
            return
        entry = self._gate.admit(socket.query_params.get("token", ""))
        await socket.accept()
        if entry is None:
            await socket.close(EXPIRED, "the token is too old")
            return
        # a screen that has fallen behind asks for the present alone
        snapshot_s = 0.0 if socket.query_params.get("past") == "no" else SNAPSHOT_S
        feed = Feed(self._view, entry, snapshot_s=snapshot_s)
        tasks = [
            asyncio.create_task(self._send(socket, entry, feed)),
            asyncio.create_task(self._listen(socket, entry)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            error = task.exception()
            if error is not None and not isinstance(error, WebSocketDisconnect):
                logger.error("the socket of %s has failed", entry, exc_info=error)
                # closed, not left silent: the browser comes back for another one
                await socket.close(FAILED, "the dashboard has failed; its log says why")

    async def _send(self, socket: WebSocket, entry: Pass, feed: Feed) -> None:
        loop = asyncio.get_running_loop()
        # with nothing before it on the way: by it the screen tells how late all others come
        await self._tell(socket, {"type": "begun", "sent_s": self._view.monotonic_s()})
        renew_at = loop.time() + RENEW_S
        next_tick = loop.time()
        while True:
            news, frame = feed.tick()
            if news is not None:
                await socket.send_text(news.decode())
            if frame is not None:
                await socket.send_bytes(frame)
            if loop.time() >= renew_at:
                renew_at += RENEW_S
                await self._tell(socket, {"type": "token", "token": self._gate.token(entry)})
            next_tick = max(next_tick + TICK_S, loop.time())
            await asyncio.sleep(next_tick - loop.time())

    async def _listen(self, socket: WebSocket, entry: Pass) -> None:
        while True:
            try:
                text = await socket.receive_text()
            except WebSocketDisconnect:
                return
            reply: dict[str, Any] = {"type": "reply", "ok": True}
            try:
                ask = _ask.decode(text)
                reply |= {"patient": ask.patient, "alarm_id": ask.alarm_id}
                if entry.patient not in (None, ask.patient):
                    raise PermissionError(f"this screen shows {entry.patient}, not {ask.patient}")
                await asyncio.to_thread(self._do, ask, entry)
            except (msgspec.DecodeError, PermissionError, ValueError, BrokerError) as error:
                logger.warning("an action was not carried out: %s", error)
                reply |= {"ok": False, "text": str(error)}
            await self._tell(socket, reply)

    def _do(self, ask: Ask, entry: Pass) -> None:
        if ask.type == "acknowledge" and ask.alarm_id is not None:
            self._actions.acknowledge(ask.patient, ask.alarm_id, author=entry.author)
        elif ask.type == "silence" and ask.seconds is not None:
            self._actions.silence(ask.patient, seconds=ask.seconds, author=entry.author)
        else:
            raise ValueError(f"acknowledge needs alarm_id, silence needs seconds, got {ask}")

    @staticmethod
    async def _tell(socket: WebSocket, message: dict[str, Any]) -> None:
        await socket.send_text(_json.encode([message]).decode())
