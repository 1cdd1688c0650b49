"""Runs a service: its HTTP app, its relay, its consumer and its jobs. The same code in one process or in many."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

import structlog
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, Counter, Histogram, generate_latest
from sqlalchemy import text
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import problems
from shared.db import DatabaseAway, transaction
from shared.edge import Careful, InTime
from shared.limits import Limits
from shared.messaging.consumer import Consumer
from shared.messaging.listening import Live
from shared.messaging.outbox import Relay, sweep
from shared.observing import observer
from shared.openapi import complete
from shared.service import Context, Job, Service
from shared.telemetry import annotate, describe, traced

log = structlog.get_logger()

MAX_BODY = 256 * 1024
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Name, labels and buckets are those of OpenTelemetry's semantic conventions, as Prometheus writes them.
SECONDS = Histogram(
    "http_server_request_duration_seconds",
    "Time to answer a request; streams (/live) until they end",
    ["service", "http_request_method", "http_route", "http_response_status_code"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10),
)
FAULTS = Counter("chuishao_duty_faults_total", "Background duties that failed and began again", ["service", "duty"])


def build_app(context: Context, service: Service, worker: "Worker | None" = None) -> FastAPI:
    """The HTTP app of one service, to be mounted at `/api/NAME`: its routes, `/livez`, `/readyz`, `/metrics`."""
    app = FastAPI(
        title=f"chuishao {service.name}",
        version="1",
        docs_url=None,
        redoc_url=None,
    )
    app.state.context = context
    app.state.live = Live(context, service.live)
    app.state.limits = Limits(context)
    problems.install(app)
    if service.router:
        app.include_router(service.router)
    complete(app)

    @app.get("/livez", include_in_schema=False)
    async def livez() -> Response:
        return Response(status_code=200 if worker is None or worker.alive() else 503)

    @app.get("/readyz", include_in_schema=False)
    async def readyz() -> Response:
        async with transaction(context.engine) as conn:
            await conn.execute(text("SELECT 1"))
        return Response(status_code=200)

    @app.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    app.add_middleware(InTime)
    app.add_middleware(_Edge, service=service.name, bodies=service.bodies)
    app.add_middleware(Careful, hsts=context.settings.hsts)
    return app


class _Edge:
    """Around every request: a trace, a count, and a limit on the body's size that does not trust its header."""

    def __init__(self, app: ASGIApp, service: str, bodies: Mapping[str, int]) -> None:
        self._app = app
        self._service = service
        self._bodies = bodies

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        most = next((size for path, size in self._bodies.items() if scope["path"].endswith(path)), MAX_BODY)
        started, status = time.perf_counter(), 500
        size = 0

        async def limited() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > most:
                raise problems.too_large()
            return message

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"traceparent", trace.encode())]
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "_OTHER"
        parent = headers.get(b"traceparent", b"").decode("latin-1")
        with traced(parent, method, service=self._service, kind="SERVER") as trace:
            try:
                length = headers.get(b"content-length", b"0")
                if length.isdigit() and int(length) > most:
                    raise problems.too_large()
                await self._app(scope, limited, counted)
            except problems.Problem as problem:
                await problems.respond(problem, scope["path"])(scope, receive, counted)
            except Exception as error:
                # Caught here and not by the framework, which hands it on to the server's log with its text: that may
                # quote what somebody sent.
                log.error("http.fault", service=self._service, error=describe(error))
                await problems.respond(problems.fault(), scope["path"])(scope, receive, counted)
            route = _route(scope)
            annotate(
                f"{method} {route}".rstrip(),
                {"http.request.method": method, "http.route": route, "http.response.status_code": status},
                failed=str(status) if status >= 500 else None,
            )
        SECONDS.labels(self._service, method, route, status).observe(time.perf_counter() - started)


def _route(scope: Scope) -> str:
    """The template of the path that was asked for, never the path itself: it holds ids and secrets, and there is no end
    of them. Empty for a path that there is not."""
    route = scope.get("route")
    return f"{scope.get('root_path', '')}{route.path}" if isinstance(route, Route) else ""


class Worker:
    """A service's background work in one process."""

    def __init__(self, context: Context, service: Service) -> None:
        self._context = context
        self._service = service
        self._consumer = Consumer(context, service) if service.topics else None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def name(self) -> str:
        """The service's."""
        return self._service.name

    def start(self) -> None:
        duties: list[tuple[str, Callable[[], Awaitable[None]]]] = [("relay", Relay(self._context).run)]
        if self._consumer:
            duties.append(("consumer", self._consumer.run))
        jobs: Sequence[Job] = (*self._service.jobs, sweep, observer(self._service))
        duties += [(job.__name__, lambda job=job: self._repeat(job)) for job in jobs]  # type: ignore[misc]
        self._tasks = [
            asyncio.create_task(self._guard(name, duty), name=f"{self._service.name}/{name}") for name, duty in duties
        ]
        for name, _ in duties:
            FAULTS.labels(self._service.name, name)  # from nought, so that the first one is seen as an increase

    def alive(self) -> bool:
        """Every duty runs and the consumer has polled lately."""
        return all(not task.done() for task in self._tasks) and (self._consumer is None or self._consumer.alive())

    async def stop(self) -> None:
        """Bounded: nothing waits longer than a few seconds, and nothing acknowledged depends on it."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=6.0)

    async def _guard(self, name: str, duty: Callable[[], Awaitable[None]]) -> None:
        """A duty that fails is started again: one bad moment must not end the clock for good."""
        while True:
            try:
                await duty()
            except Exception as error:
                FAULTS.labels(self._service.name, name).inc()
                log.error("duty.failed", service=self._service.name, duty=name, error=describe(error))
                await asyncio.sleep(1.0)

    async def _repeat(self, job: Job) -> None:
        while True:
            try:
                pause = await job(self._context)
            except (DatabaseAway, OSError) as error:
                log.warning("job.waiting", service=self._service.name, job=job.__name__, error=type(error).__name__)
                pause = 0.5
            # Jitter, so that several workers do not come for the same rows at the same moment.
            await asyncio.sleep(pause * random.uniform(0.9, 1.0))
