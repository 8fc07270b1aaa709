"""The anthropic SDK, and its errors translated. The only module that imports the SDK, and only inside functions:
importing it takes several times as long as Textual."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

from convend_tui.errors import ModelError
from convend_tui.model import faults, limits, unreached
from convend_tui.model.endpoint import Endpoint, ModelInfo
from convend_tui.model.faults import BOUND
from convend_tui.model.sse import EventReader, NotAnEvent

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

__all__ = ["BOUND", "Client", "Stream", "warm"]

_LINGER_S = 0.25
"""Seconds to wait for the end of a stream whose message is complete, so that the connection can be used again."""
_LOOK = 65_536
"""Characters that are read of an answer that is no stream, to see what it says."""
_MOST_MODELS = 10_000
"""A list that goes on for ever is cut here."""

# Where this is set the SDK prints requests and headers, as they come, into the terminal; it looks when it is imported.
os.environ.pop("ANTHROPIC_LOG", None)


def warm() -> None:
    """Import the SDK, so that the first send does not wait for it. Takes seconds: call it in a thread."""
    import anthropic
    import anthropic.types  # noqa: F401


class Client:
    """Requests to one endpoint. Connections are kept and used again."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self._sdk: AsyncAnthropic | None = None

    async def stream(self, body: dict[str, Any]) -> Stream:
        """Send a Messages request; returns when the answer begins.

        Raises:
            ModelError: no answer.
        """
        sdk, model = self._client(), body.get("model", "")
        try:
            async with limits.patience(self.endpoint.timeout):
                response = await sdk.messages.create(**body, stream=True)
        except _request_errors() as error:
            raise self._translated(error, model) from error
        try:
            await self._require_stream(response.response)
        except BaseException:
            await response.close()
            raise
        return Stream(self, response, model)

    async def _require_stream(self, response: Any) -> None:
        """Refuse what is certainly no stream: a sign-in page of a network, an error with status 200."""
        kind, text = response.headers.get("content-type", "").lower(), ""
        if "json" in kind:
            with suppress(*_transport_errors()):
                async with asyncio.timeout(self.endpoint.timeout):
                    async for piece in response.aiter_text():
                        text += piece
                        if len(text) > _LOOK:
                            break
        elif "html" not in kind:
            return
        raise faults.no_stream(kind, text, self.endpoint)

    async def models(self) -> list[ModelInfo]:
        """The server's own list of models, in its order.

        Raises:
            ModelError: it has none, or does not answer.
        """
        found: dict[str, ModelInfo] = {}
        sdk = self._client()
        try:
            async with asyncio.timeout(self.endpoint.timeout):
                async for model in sdk.models.list(limit=1000):
                    name = model.id
                    if not isinstance(name, str):
                        continue  # whatever it is, it cannot be asked
                    if name in found or len(found) >= _MOST_MODELS:
                        break  # a server that gives the same page for ever
                    found[name] = ModelInfo(
                        self.endpoint.without_secrets(name),
                        self.endpoint.without_secrets(str(getattr(model, "display_name", None) or name)),
                        _count(getattr(model, "max_tokens", None)),
                        _count(getattr(model, "max_input_tokens", None)),
                    )
        except (AttributeError, TypeError, RecursionError, JSONDecodeError, UnicodeDecodeError) as error:
            raise faults.no_list(self.endpoint) from error
        except _request_errors() as error:
            raise self._translated(error, "") from error
        return list(found.values())

    async def close(self) -> None:
        """Close the connections."""
        if self._sdk is not None:
            await self._sdk.close()
            self._sdk = None

    def _client(self) -> AsyncAnthropic:
        if self._sdk is not None:
            return self._sdk
        import anthropic
        import httpx2

        end = self.endpoint
        try:
            http = anthropic.DefaultAsyncHttpxClient(
                verify=_trust(end) if end.ca_bundle is not None else True,
                trust_env=not end.direct,
                # A redirect could carry the key and the conversation elsewhere.
                follow_redirects=False,
                event_hooks=limits.hooks(end.timeout, _shortened),
            )
        except (httpx2.InvalidURL, ValueError, ImportError, OSError) as error:
            raise unreached.of_setup(error, end) from error
        self._sdk = anthropic.AsyncAnthropic(
            # The SDK insists on a key; a server without one ignores it.
            api_key=end.key or "none",
            base_url=end.base_url,
            default_headers=dict(end.headers),
            timeout=httpx2.Timeout(end.timeout, connect=end.connect_timeout),
            # Retries are the turn's business: it shows them, and Esc stops them.
            max_retries=0,
            http_client=http,
        )
        return self._sdk

    def _translated(self, error: Exception, model: str) -> ModelError:
        """An error of the SDK or of its transport before the answer began, as a sentence that says what to do."""
        import anthropic
        import httpx2

        end = self.endpoint
        if isinstance(error, anthropic.APIStatusError):
            response = error.response
            return faults.of_answer(faults.Answered(error.status_code, error.body, response.headers), end, model)
        if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException | TimeoutError):
            return unreached.of_silence(error, end)
        if _is_decoding(error):
            return faults.not_compressed(end)
        if isinstance(error, anthropic.APIConnectionError | httpx2.TransportError):
            return unreached.of_connection(error, end)
        return ModelError(
            f"The answer of {end.host} could not be understood: {unreached.short(end.without_secrets(str(error)))}",
            kind="bad_answer",
        )

    def broken(self, error: Exception) -> ModelError:
        """An error in the middle of an answer."""
        import httpx2

        host = self.endpoint.host
        if isinstance(error, httpx2.TimeoutException | TimeoutError):
            return unreached.of_silence(error, self.endpoint)
        if isinstance(error, NotAnEvent):
            sentence = f"The answer of {host} broke off: it sent {error}."
        elif isinstance(error, httpx2.DecodingError):
            sentence = f"The answer of {host} broke off: it is not compressed as it says."
        else:
            sentence = f"The connection to {host} broke off in the middle of the answer."
        return ModelError(sentence, kind="broken_off", retryable=True)


class Stream:
    """The events of one answer, as dicts with the API's own fields."""

    def __init__(self, client: Client, response: Any, model: str) -> None:
        self._client = client
        self._response = response
        self._model = model
        name = response.response.headers.get("request-id")
        self.request_id: str | None = unreached.short(client.endpoint.without_secrets(name)) if name else None
        self._reading: AsyncGenerator[dict[str, Any], None] | None = None

    def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """What `_read` yields and raises."""
        self._reading = self._read()
        return self._reading

    async def aclose(self) -> None:
        """Let go of the connection, also where nothing was read: the server would go on answering."""
        if self._reading is not None:
            await self._reading.aclose()
        await self._response.close()

    async def _read(self) -> AsyncGenerator[dict[str, Any], None]:
        """Yields events until the message is complete, or the server closes the stream. Pings are left out.

        Raises:
            ModelError: it broke off, was silent for longer than the endpoint's `timeout`, or the server sent an
                error event.
        """
        # Read here, not by the SDK: one event that it cannot read costs the answer there, and silence is not noticed
        # while single bytes still come.
        pieces = self._response.response.aiter_bytes()
        reader, begun = EventReader(), False
        try:
            async with aclosing(self._events(pieces, reader)) as events:
                async for event in events:
                    if event["type"] == "error":
                        answered = faults.Answered(200, event, {})
                        raise faults.of_answer(answered, self._client.endpoint, self._model)
                    begun = True
                    yield event
                    if event["type"] == "message_stop":
                        break
                else:
                    if not begun and "event-stream" in self._response.response.headers.get("content-type", ""):
                        raise unreached.nothing(self._client.endpoint)
                    return
            with suppress(*_transport_errors()):
                async with asyncio.timeout(_LINGER_S):
                    async for _ in pieces:
                        pass
        except _transport_errors() as error:
            raise self._client.broken(error) from error
        finally:
            await self._response.close()

    async def _events(self, pieces: AsyncIterator[bytes], reader: EventReader) -> AsyncGenerator[dict[str, Any], None]:
        patience = self._client.endpoint.timeout
        clock = asyncio.get_running_loop()
        until, taken = clock.time() + patience, reader.taken
        while True:
            try:
                async with asyncio.timeout_at(until):
                    piece = await anext(pieces)
            except StopAsyncIteration:
                return
            for event in reader.feed(piece):
                # Whatever the server repeats of what it was sent goes into the thread's file.
                self._client.endpoint.clean(event)
                yield event
            if reader.taken > taken:
                # From here: the time that the event took to be shown is not the server's.
                until, taken = clock.time() + patience, reader.taken


def _request_errors() -> tuple[type[Exception], ...]:
    """What sending a request may raise: the SDK, its transport, and their parsers."""
    import anthropic
    import httpx2

    found = (anthropic.AnthropicError, httpx2.HTTPError, httpx2.InvalidURL)
    return (*found, TimeoutError, ValueError, TypeError, RecursionError)


def _transport_errors() -> tuple[type[Exception], ...]:
    """What reading a response may raise."""
    import httpx2

    return (httpx2.HTTPError, httpx2.StreamError, TimeoutError, ValueError)


def _trust(end: Endpoint) -> ssl.SSLContext:
    """The certificates that the person named.

    Raises:
        ModelError: they cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=str(end.ca_bundle))
    except OSError as error:
        raise unreached.of_ca_bundle(error, end) from error


def _shortened(stream: Any, most: int) -> Any:
    """A stream of bytes, cut after `most` of them."""
    import httpx2

    class Beginning(httpx2.AsyncByteStream):
        async def __aiter__(self) -> AsyncIterator[bytes]:
            left = most
            async for piece in stream:
                yield piece[:left]
                left -= len(piece)
                if left <= 0:
                    return

        async def aclose(self) -> None:
            await stream.aclose()

    return Beginning()


def _is_decoding(error: BaseException) -> bool:
    import httpx2

    return isinstance(error, httpx2.DecodingError) or isinstance(error.__cause__, httpx2.DecodingError)


def _count(value: object) -> int | None:
    """A number of tokens, where it is one."""
    return value if type(value) is int and value > 0 else None
