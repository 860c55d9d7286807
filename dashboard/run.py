"""Start the dashboard, and end it on Ctrl-C."""

import gc
import importlib
import logging
from collections.abc import Iterable

from dashboard.access import Gate
from dashboard.asgi import make_app
from dashboard.live import Live, install
from stream.actions import Actions
from stream.view import Follower, View

logger = logging.getLogger(__name__)

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def run_dashboard(
    bootstrap: str,
    *,
    prefix: str = "",
    host: str = "127.0.0.1",
    port: int = 8501,
    allowed_hosts: Iterable[str] = (),
) -> None:
    """Serve the dashboard until Ctrl-C or SIGTERM; call it from the main thread.

    The broker need not be there yet: the pages say so and go on when it is.

    Parameters
    ----------
    bootstrap : str
        ``host:port`` of a Kafka broker; several separated by commas.
    prefix : str
        Put before every topic name.
    host : str
        Address to listen on.
    port : int
        Port to listen on.
    allowed_hosts : iterable of str
        Further names, without port, under which browsers reach it, as behind a
        proxy; ``localhost`` and ``host`` are always allowed.
    """
    view = View(bootstrap)
    actions = Actions(bootstrap, prefix=prefix)
    follower = Follower(view, prefix=prefix)
    live = Live(view, follower, actions, Gate({*LOOPBACK, host, *allowed_hosts}))
    install(live)
    follower.start()
    app = make_app(live)
    for page in ("alarms", "bedside", "central"):
        # now and not with the first page that is asked for
        importlib.import_module(f"dashboard.{page}")
    # Streamlit collects all garbage after every page run; what is loaded by now stays, and a
    # collection that does not look at it takes a tenth of the time.
    gc.collect()
    gc.freeze()
    try:
        app.run(
            config={
                "server.address": host,
                "server.port": port,
                "server.headless": True,
                "server.fileWatcherType": "none",
                "browser.gatherUsageStats": False,
                "client.toolbarMode": "minimal",
                "client.showErrorDetails": "none",
                "logger.hideWelcomeMessage": True,
                "theme.base": "dark",
                "theme.backgroundColor": "#000000",
                "theme.secondaryBackgroundColor": "#0b1410",
                "theme.textColor": "#d7e3dc",
                "theme.primaryColor": "#35ff7a",
            }
        )
    except KeyboardInterrupt:
        # the server raises what ended it again after it has closed everything
        logger.info("Ctrl-C")
    finally:
        follower.stop()
        actions.close()
        logger.info("the dashboard has ended")
