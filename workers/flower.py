"""`python -m workers.flower`: runs Flower with its password required at every address.

Flower's own command leaves /metrics, /healthcheck and the static files open to everybody, reads a configuration file
from the current folder and takes any option from a variable named FLOWER_…. Here a request is signed in before Flower
sees it, so an address that a later version adds is closed, too, and the options are those below.
"""

from __future__ import annotations

import atexit
import base64
import binascii
import hmac
import logging
import signal
import sys
from typing import Any

import tornado.web
from celery import Celery
from flower.app import Flower
from flower.options import options
from flower.urls import settings as flower_settings
from tornado.httputil import HTTPServerRequest

from shared import settings
from shared.settings import Settings
from shared.telemetry import log_files

USER = "admin"
STATE_SAVED_EVERY_MS = 60_000
OFFLINE_WORKERS_KEPT_S = 300
COLUMNS = "state,name,result,exception,received,runtime,uuid,worker"
"""A phone shows the first two, the rest is scrolled to."""


@tornado.web.stream_request_body
class SignIn(tornado.web.RequestHandler):
    """Answers 401 as soon as the headers are there; a body is not read into memory."""

    def check_xsrf_cookie(self) -> None:
        """There is no session that a foreign page could use."""

    def prepare(self) -> None:
        self.set_status(401)
        self.set_header("www-authenticate", 'Basic realm="flower"')
        self.finish("the user name and password are missing or wrong\n")

    def data_received(self, chunk: bytes) -> None:
        """Dropped."""


class GuardedFlower(Flower):
    """Flower with one user. options: tornado's, with basic_auth set."""

    def __init__(self, password: str, **given: Any) -> None:
        super().__init__(**given)
        self._credentials = f"{USER}:{password}".encode()

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> Any:
        if not self._knows(request.headers.get("authorization", "")):
            return self.get_handler_delegate(request, SignIn)
        return super().find_handler(request, **kwargs)

    def _knows(self, authorization: str) -> bool:
        kind, _, encoded = authorization.partition(" ")
        try:
            given = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            return False
        return kind.lower() == "basic" and hmac.compare_digest(given, self._credentials)


def build(config: Settings, app: Celery) -> GuardedFlower:
    """Flower on the broker of `app`, not listening yet. Raises SettingsError without a password."""
    config.need("FLOWER_PASSWORD")
    password = config.operations.flower_password.get_secret_value()
    for name, value in {
        "address": config.operations.flower_host,
        "port": config.operations.flower_port,
        "basic_auth": [f"{USER}:{password}"],
        "read_only": True,
        "max_tasks": config.operations.flower_tasks_max,
        "tasks_columns": COLUMNS,
        # It would ask the workers every five seconds to send Celery's own events beside ours.
        "enable_events": False,
        "persistent": True,
        "db": str(config.system.data_dir / "flower.db"),
        "state_save_interval": STATE_SAVED_EVERY_MS,
        "purge_offline_workers": OFFLINE_WORKERS_KEPT_S,
    }.items():
        setattr(options, name, value)
    return GuardedFlower(password, capp=app, options=options, **flower_settings)


def main() -> int:
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s", level=logging.INFO)
    log_files.follow(settings.log_file())
    logging.getLogger("tornado.access").propagate = False
    config = settings.load()
    from tasks.app import app

    flower = build(config, app)
    atexit.register(flower.stop)  # saves what it remembers
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    flower.start_http_server()
    try:
        flower.start()
    except (KeyboardInterrupt, SystemExit):
        pass  # asked to end
    return 0


if __name__ == "__main__":
    sys.exit(main())
