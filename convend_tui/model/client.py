"""The anthropic SDK, and its errors translated. The only module that imports the SDK, and only inside functions:
importing it takes several times as long as Textual."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from convend_tui.errors import ModelError
from convend_tui.model.endpoint import Endpoint, ModelInfo

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

BOUND = "thinking_bound"
"""Kind of the error that says a thinking block belongs to another conversation."""

_LONGEST_QUOTE = 400
"""Characters of a server's own message that are repeated to the person."""


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
        import anthropic
        import httpx2

        try:
            response = await self._client().messages.create(**body, stream=True)
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError, TypeError) as error:
            raise self._translated(error, body.get("model", ""), began=False) from error
        return Stream(self, response, body.get("model", ""))

    async def models(self) -> list[ModelInfo]:
        """The server's own list of models, in its order.

        Raises:
            ModelError: it has none, or does not answer.
        """
        import anthropic
        import httpx2

        found: list[ModelInfo] = []
        try:
            async for model in self._client().models.list(limit=1000):
                found.append(
                    ModelInfo(
                        str(model.id),
                        str(getattr(model, "display_name", None) or model.id),
                        getattr(model, "max_tokens", None),
                        getattr(model, "max_input_tokens", None),
                    )
                )
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError, TypeError, AttributeError) as error:
            raise self._translated(error, "", began=False) from error
        return found

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
        options: dict[str, Any] = {}
        if end.direct:
            options["http_client"] = anthropic.DefaultAsyncHttpxClient(trust_env=False)
        if end.ca_bundle is not None:
            try:
                trust = ssl.create_default_context(cafile=str(end.ca_bundle))
            except (OSError, ssl.SSLError) as error:
                raise ModelError(
                    f"The certificates in {end.ca_bundle} (ca_bundle of server {end.name}) cannot be used: {error}.",
                    kind="tls_error",
                ) from error
            options["http_client"] = anthropic.DefaultAsyncHttpxClient(verify=trust)
        self._sdk = anthropic.AsyncAnthropic(
            # The SDK insists on a key; a server without one ignores it.
            api_key=end.key or "none",
            base_url=end.base_url,
            default_headers=dict(end.headers),
            timeout=httpx2.Timeout(end.timeout, connect=end.connect_timeout),
            # Retries are the turn's business: it shows them, and Esc stops them.
            max_retries=0,
            **options,
        )
        return self._sdk

    def _translated(self, error: Exception, model: str, *, began: bool) -> ModelError:
        """An error of the SDK or of its transport, as a sentence that says what to do."""
        import anthropic
        import httpx2

        name, host = self.endpoint.name, urlsplit(self.endpoint.base_url).netloc
        if isinstance(error, anthropic.APIStatusError):
            return _status_error(error, name, model, began)
        if isinstance(error, anthropic.APITimeoutError | httpx2.TimeoutException):
            return ModelError(
                f"{host} was silent for too long. Try again, or raise timeout in [network] of config.toml.",
                kind="timeout_error",
                retryable=not began,
            )
        if began:
            return ModelError(f"The connection to {host} broke off in the middle of the answer.", kind="broken_off")
        if isinstance(error, anthropic.APIConnectionError | httpx2.TransportError):
            why = _root(error)
            return ModelError(
                f"No connection to {host}: {why}. Check the network, and base_url of server {name}.",
                kind="connection_error",
                retryable=True,
            )
        return ModelError(f"The answer of {host} could not be understood: {_short(str(error))}", kind="bad_answer")


class Stream:
    """The events of one answer, as dicts with the API's own fields."""

    def __init__(self, client: Client, response: Any, model: str) -> None:
        self._client = client
        self._response = response
        self._model = model
        self.request_id: str | None = response.response.headers.get("request-id")

    async def __aiter__(self) -> AsyncIterator[dict[str, Any]]:
        """Yields events until the server closes the stream.

        Raises:
            ModelError: it broke off, or the server sent an error event.
        """
        import anthropic
        import httpx2

        try:
            async for event in self._response:
                # Quiet about what it does not know: a warning would land in the middle of the screen.
                yield event.to_dict(mode="json", exclude_unset=True, warnings=False)
        except (anthropic.AnthropicError, httpx2.HTTPError, ValueError, TypeError, AttributeError) as error:
            raise self._client._translated(error, self._model, began=True) from error
        finally:
            await self._response.close()


def _status_error(error: Any, server: str, model: str, began: bool) -> ModelError:
    """`error`: an anthropic.APIStatusError; its status is 200 for an error event inside a stream."""
    status: int = error.status_code
    kind = str(error.type or _bare_type(error) or "error")
    said = _said(error)
    quote = f" It says: {said}" if said else ""
    after = _retry_after(error)
    wait = f" Try again in {after:.0f} s." if after else " Try again in a moment."
    if "bound to a different conversation" in said:
        return ModelError(f"The server found thinking of another conversation.{quote}", kind=BOUND)
    if began or status == 200:
        return ModelError(f"The server broke the answer off ({kind}).{quote}", kind=kind, retryable=True)
    sentences = {
        400: f"The server {server} refused the request (400).{quote}",
        401: f"The server {server} did not accept the key (401). Check the key: ANTHROPIC_API_KEY, or this server's "
        "entry in config.toml.",
        402: f"The account of server {server} cannot be billed (402).{quote}",
        403: f"The key of server {server} is not allowed to do this (403).{quote}",
        404: f"The server {server} does not know the model “{model}”, or its base_url is wrong (404). Choose another "
        "model.",
        413: f"The conversation is too large for the server {server} (413). Begin a new chat or take a shorter branch.",
        429: f"Too many requests to {server} just now (429).{wait}{quote}",
        529: f"The server {server} is overloaded (529).{wait}",
        503: f"The server {server} is not available just now (503).{wait}{quote}",
    }
    if kind == "exceed_context_size_error":
        sentence = "The conversation has grown too long for this model. Edit an earlier message, or begin a new chat."
    else:
        sentence = sentences.get(status, f"The server {server} failed ({status}).{wait}{quote}")
    retryable = status in (408, 409, 429) or status >= 500
    return ModelError(sentence, kind=kind, retryable=retryable, retry_after=after)


def _bare_type(error: Any) -> object:
    """The type in an error body without an envelope, as llama.cpp sends it."""
    return error.body.get("type") if isinstance(error.body, dict) else None


def _said(error: Any) -> str:
    """What the server itself said, from both shapes of error bodies."""
    body = error.body
    if isinstance(body, dict):
        inner = body.get("error")
        message = inner.get("message") if isinstance(inner, dict) else body.get("message")
        if isinstance(message, str):
            return _short(message)
    return ""


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"


def _retry_after(error: Any) -> float | None:
    try:
        return max(0.0, float(error.response.headers.get("retry-after", "")))
    except ValueError:
        return None


def _root(error: BaseException) -> str:
    """The innermost reason, which names the fault; the outer ones only say that there was one."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    match error:
        case msgspec.DecodeError():
            return "the answer was not JSON"
        case ConnectionRefusedError():
            return "nothing listens there"
        case socket.gaierror():
            return "the name is not known"
        case ssl.SSLError():
            return f"the secure connection failed ({_short(str(error))}); ca_bundle names your own certificates"
    return _short(str(error)).rstrip(".") or type(error).__name__
