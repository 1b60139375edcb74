"""The two roles, each with a composition root of its own."""

from order_worker import consume_app, serve_app

ROLES = {"consume": consume_app.running, "serve": serve_app.running}
