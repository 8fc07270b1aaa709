"""The server: real sockets on 127.0.0.1, the rules in front, the script behind."""

from __future__ import annotations

import asyncio
import inspect
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Self

from aiohttp import web
from aiohttp.typedefs import Handler

from tests.referee import models, rules, wire
from tests.referee.asked import Asked, Objection
from tests.referee.memory import Memory, count
from tests.referee.script import Answer, Hangup, HttpError, Json, Raw, Reply, Script, opinion, wants_structure
from tests.referee.sent import as_json, error, reset, stream, without_rules

EXHAUSTED = "the script is exhausted: no answer is left for this request"


class Received(dict[str, Any]):
    """The body of one POST /v1/messages, and what became of it."""

    def __init__(self, body: Json, headers: dict[str, str]) -> None:
        super().__init__(body)
        self.headers = headers
        """Names in lower case."""
        self.refusal: Objection | None = None
        """Why the rules refused it."""
        self.content: list[Json] = []
        """The blocks of the answer, as they are when they arrive whole."""
        self.finished = False
        """All that the script had for it was sent."""
        self.abandoned = False
        """The client left before that."""


class Referee:
    """A strict Messages API for tests.

    Args:
        script: answers in order, or a function (it may be async) from a request to an answer.
        key: what `Authorization: Bearer` must carry.
        models: the models it serves.
        stable_head: refuse a `system` or `tools` that changes within a thread.
        opinion: if not None, requests for a structured answer get this answer, or this `at_risk`, and use up nothing
            of the script.
        cache_minimum: prefixes of fewer (rough) tokens are not cached.
        memory: that of an earlier referee, to go on where it stopped.
        port: 0 for any free one.
        tls: the certificate it shows; None: it speaks plain HTTP.
        list_answer: what GET /v1/models answers instead of the list.
    """

    def __init__(
        self,
        script: Script = (),
        *,
        key: str = "test-key",
        models: Iterable[models.Model] = models.DEFAULT_MODELS,
        stable_head: bool = True,
        opinion: bool | Answer | None = None,
        cache_minimum: int = 0,
        memory: Memory | None = None,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        list_answer: HttpError | Hangup | Raw | None = None,
    ) -> None:
        self.key = key
        self.list_answer = list_answer
        self.models = {model.id: model for model in models}
        self.stable_head = stable_head
        self.opinion = opinion
        self.memory = memory or Memory(cache_minimum=cache_minimum)
        self.port = port
        self.requests: list[Received] = []
        """Every POST /v1/messages with a JSON object for a body, the refused ones too."""
        self.counts: list[Json] = []
        """Every POST /v1/messages/count_tokens."""
        self.refusals: list[tuple[int, str]] = []
        """(status, message) of all that the rules refused."""
        self.problems: list[str] = []
        """What should not happen in a sound test: refusals, an exhausted script, a script that raises."""
        self._function = script if callable(script) else None
        self._queue: deque[Answer] = deque(() if callable(script) else script)
        self._runner: web.AppRunner | None = None
        self._tls = tls

    @property
    def base_url(self) -> str:
        """Without `/v1`, as the SDK wants it."""
        return f"http{'s' if self._tls else ''}://127.0.0.1:{self.port}"

    @property
    def turns(self) -> list[Received]:
        """The requests of conversations."""
        return [request for request in self.requests if not wants_structure(request)]

    @property
    def opinions(self) -> list[Received]:
        """The requests for a structured answer."""
        return [request for request in self.requests if wants_structure(request)]

    def enqueue(self, *answers: Answer) -> None:
        """Add answers to the end of the script. They go before a script that is a function,
        which answers all requests for a structured answer."""
        self._queue.extend(answers)

    @property
    def left(self) -> int:
        """How many answers have not been played."""
        return len(self._queue)

    def assert_clean(self) -> None:
        """Fail with all problems and refusals there were.

        Raises:
            AssertionError: there were some.
        """
        if self.problems:
            raise AssertionError("\n".join(["the referee has something to say:", *self.problems]))

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=0, middlewares=[self._record])
        app.router.add_post("/v1/messages", self._messages)
        app.router.add_post("/v1/messages/count_tokens", self._count_tokens)
        app.router.add_get("/v1/models", self._list_models)
        app.router.add_get("/v1/models/{id}", self._one_model)
        app.router.add_route("*", "/{rest:.*}", self._nothing_here)
        self._runner = web.AppRunner(
            app, handle_signals=False, access_log=None, handler_cancellation=True, shutdown_timeout=0.05
        )
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port, ssl_context=self._tls)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    # ---- endpoints

    async def _messages(self, request: web.Request) -> web.StreamResponse:
        body = await self._admit(request)
        if isinstance(body, web.Response):
            return body
        received = Received(body, {name.lower(): value for name, value in request.headers.items()})
        self.requests.append(received)
        objection = rules.refuse(Asked(body, self.models, self.memory, stable_head=self.stable_head))
        if objection is not None:
            received.refusal = objection
            return self._refuse(objection)
        self.memory.keep_request(body)
        answer = await self._answer(body)
        try:
            return await self._play(request, received, answer)
        except (asyncio.CancelledError, ConnectionError):
            received.abandoned = not received.finished
            raise

    async def _count_tokens(self, request: web.Request) -> web.StreamResponse:
        body = await self._admit(request)
        if isinstance(body, web.Response):
            return body
        self.counts.append(body)
        asked = Asked(body, self.models, self.memory, counting=True, stable_head=self.stable_head)
        objection = rules.refuse(asked)
        return self._refuse(objection) if objection else as_json({"input_tokens": count(body)})

    async def _list_models(self, request: web.Request) -> web.StreamResponse:
        if refused := self._door(request):
            return refused
        if self.list_answer is not None:
            return await without_rules(request, self.list_answer)
        lifecycles = [*request.query.getall("lifecycle[]", []), *request.query.getall("lifecycle", [])]
        try:
            return as_json(models.page(self.models.values(), request.query, lifecycles))
        except ValueError:
            return self._refuse(Objection("limit: Input should be from 1 to 1000"))

    async def _one_model(self, request: web.Request) -> web.StreamResponse:
        if refused := self._door(request):
            return refused
        name = request.match_info["id"]
        if name not in self.models:
            return error(404, "not_found_error", f"model: {name}")
        return as_json(self.models[name].public())

    async def _nothing_here(self, request: web.Request) -> web.StreamResponse:
        self.problems.append(f"no such endpoint: {request.method} {request.path}")
        return error(404, "not_found_error", "Not found")

    @web.middleware
    async def _record(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """A fault of the referee or of its script is a problem of the test, not a line in a log."""
        try:
            return await handler(request)
        except (AttributeError, LookupError, TypeError, ValueError) as fault:
            self.problems.append(f"the referee failed: {fault!r}")
            return error(500, "api_error", f"referee: {fault!r}", {"x-should-retry": "false"})

    # ---- what stands before the rules

    def _door(self, request: web.Request) -> web.Response | None:
        """The checks of the headers."""
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return error(401, "authentication_error", "invalid bearer token")
        if not request.headers.get("anthropic-version"):
            return self._refuse(Objection("anthropic-version: header is required"))
        return None

    async def _admit(self, request: web.Request) -> Json | web.Response:
        """The parsed body, or why there is none."""
        if refused := self._door(request):
            return refused
        raw = await request.read()
        if len(raw) > rules.MAX_BODY:
            return self._refuse(Objection("Request exceeds the maximum size", 413, "request_too_large"))
        try:
            body = json.loads(raw)
        except ValueError as error:
            return self._refuse(Objection(f"The request body is not valid JSON: {error}"))
        if not isinstance(body, dict):
            return self._refuse(Objection("Input should be a valid dictionary"))
        return body

    def _refuse(self, objection: Objection) -> web.Response:
        self.refusals.append((objection.status, objection.message))
        self.problems.append(f"refused with {objection.status}: {objection.message}")
        return error(objection.status, objection.kind, objection.message)

    # ---- answers

    async def _answer(self, body: Json) -> Answer:
        """The next answer of the script; 500 and a recorded problem where there is none."""
        if self.opinion is not None and wants_structure(body):
            return opinion(self.opinion) if isinstance(self.opinion, bool) else self.opinion
        if self._queue and not (wants_structure(body) and self._function is not None):
            return self._queue.popleft()
        if self._function is None:
            return self._broken(EXHAUSTED)
        task = asyncio.ensure_future(_call(self._function, body))
        await asyncio.wait({task})
        if error := task.exception():
            return self._broken(f"the script raised {error!r}")
        return task.result()

    def _broken(self, problem: str) -> HttpError:
        self.problems.append(problem)
        # Without the header the SDK would ask again, and report the same problem three times.
        return HttpError(500, "api_error", f"referee: {problem}", headers={"x-should-retry": "false"})

    async def _play(self, request: web.Request, received: Received, answer: Answer) -> web.StreamResponse:
        reply = Reply(answer) if isinstance(answer, str) else answer
        await asyncio.sleep(reply.delay)
        if not isinstance(reply, Reply):
            received.finished = not isinstance(reply, Hangup)
            return await without_rules(request, reply)
        prepared = wire.prepare(reply, received, self.memory.usage(received))
        self.memory.keep_reply(received, prepared.content)
        received.content = prepared.content
        if received.get("stream") and not reply.as_json:
            return await stream(request, received, prepared)
        if reply.cut_after_events is not None:
            return await reset(request, web.Response())
        received.finished = True
        return as_json(prepared.message())


class ThreadedReferee:
    """The same server in a thread of its own, for tests that are not async: `with ThreadedReferee(script) as r`.

    Takes what `Referee` takes; everything that a `Referee` has is found here too.
    """

    def __init__(self, script: Script = (), **options: Any) -> None:
        self._referee = Referee(script, **options)
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._fault: OSError | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with self._referee:
                self._ready.set()
                await self._stop.wait()
        except OSError as error:
            self._fault = error
        finally:
            self._ready.set()

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._fault is not None:
            raise self._fault
        return self

    def __exit__(self, *_: object) -> None:
        if self._loop is not None and self._stop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._referee, name)


async def _call(function: Callable[[Json], Any], body: Json) -> Answer:
    found = function(body)
    answer: Answer = await found if inspect.isawaitable(found) else found
    return answer
