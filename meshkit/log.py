"""Structured logs: JSON lines on a pipe, coloured text on a terminal."""

import logging
import sys
from typing import Any

import structlog

from meshkit.tracing import traceparent


def setup_logging(process: str, level: str = "info") -> None:
    terminal = sys.stderr.isatty()
    # Plain tracebacks: the pretty ones print locals, and a token is one of them.
    console = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    renderer: Any = console if terminal else structlog.processors.JSONRenderer()
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        _add_trace,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    _route_standard_logging(shared, renderer, level)


def _route_standard_logging(shared: list[Any], renderer: Any, level: str) -> None:
    """Libraries (aiokafka, grpc, sqlalchemy) log through `logging`; theirs become the same lines."""
    handler = logging.StreamHandler(sys.stderr)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[remove, structlog.processors.format_exc_info, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # INFO of aiokafka alone is a line a rebalance and a metadata refresh; WARNING keeps what an operator acts on.
    root.setLevel(logging.DEBUG if level == "debug" else logging.WARNING)


def _add_trace(_logger: Any, _method: str, event: Any) -> Any:
    """The call being served, where there is one."""
    trace = traceparent()
    if trace:
        event.setdefault("traceparent", trace)
    return event


def get_logger(name: str) -> Any:
    return structlog.get_logger(module=name)
