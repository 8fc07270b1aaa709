"""The built-in model's own process: llama.cpp's server on loopback, for as long as convend lives.

Run as `python -m convend_tui.model.local_server`. It reads one line of JSON from standard input (an `Order`),
starts the server, writes one line of JSON to standard output, `{"url": …}` or `{"error": …}`, and then waits
for standard input to end. The pipe breaks however convend dies, so that no server outlives it. The key comes
through the pipe because command lines and environments can be read by others.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import sys
import threading
from dataclasses import asdict, dataclass, field
from io import FileIO

TEMPERATURE = 0.2
TOP_P = 0.9
# Without a penalty, more than a third of the longer answers of a model this small fell into loops; with this
# one an eighth did. 1.1 over 256 tokens stopped the loops, but it counts the prompt's words too: the model
# could no longer repeat an emoji when asked, and began to misspell.
REPEAT_PENALTY = 1.05
REPEAT_WINDOW = 64
"""Tokens the penalty looks back."""
CACHE_MIB = 256
"""Memory for the prefixes of other branches and threads, beside the one in the slot; one full context is 180 MiB."""
_LOG_WARNINGS = 2
"""llama.cpp's log level: warnings and errors. The levels above would tell of each request."""
_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Order:
    """What the server is to serve."""

    weights: str
    """Path of the GGUF file."""
    key: str = field(repr=False)
    """Every request must carry it as a bearer token."""
    alias: str
    """The model's name in answers."""
    threads: int
    """Threads that write the answer, token by token."""
    context: int
    """Tokens of prompt and answer together."""
    template: str | None = None
    """A Jinja chat template in place of the model's own."""
    batch_threads: int | None = None
    """Threads that read the prompt; as many as `threads` by default."""

    def encode(self) -> bytes:
        """One line of JSON."""
        return json.dumps(asdict(self)).encode() + b"\n"


def serve(order: Order) -> tuple[object, str]:
    """Start the server on a free port of 127.0.0.1; it works until the returned object goes away.

    Returns:
        The server and its URL.

    Raises:
        ImportError: xllamacpp is not installed, or cannot be loaded here.
        RuntimeError: llama.cpp refused, for instance damaged weights; its log (standard error) says why.
    """
    from xllamacpp import CommonParams, Server

    params = CommonParams()
    params.model.path = order.weights
    params.model_alias = {order.alias}
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [order.key]
    params.use_jinja = True
    if order.template is not None:
        params.chat_template = order.template
    params.n_ctx = order.context
    params.n_parallel = 1
    params.cpuparams.n_threads = order.threads
    params.cpuparams_batch.n_threads = order.batch_threads or order.threads
    params.cache_prompt = True
    params.cache_ram_mib = CACHE_MIB
    # Requests of the Messages API carry no sampling parameters, so the server's own count.
    params.sampling.temp = TEMPERATURE
    params.sampling.top_p = TOP_P
    params.sampling.min_p = 0.0
    params.sampling.penalty_repeat = REPEAT_PENALTY
    params.sampling.penalty_last_n = REPEAT_WINDOW
    params.warmup = False
    params.offline = True
    params.ui = False
    params.endpoint_slots = False
    params.cors_credentials = False
    params.verbosity = _LOG_WARNINGS
    server = Server(params)
    return server, str(server.listening_address)


def main() -> None:
    """Serve until standard input ends. Never returns."""
    _die_with_parent()
    # llama.cpp may print what it likes: the answer line has a descriptor of its own.
    answers = FileIO(os.dup(1), "wb")
    os.dup2(2, 1)
    try:
        order = Order(**json.loads(sys.stdin.buffer.readline()))
    except (ValueError, TypeError):
        _answer(answers, {"error": "standard input held no valid order"})
        os._exit(2)
    threading.Thread(target=_exit_at_eof, daemon=True).start()
    try:
        server, url = serve(order)
    except (ImportError, RuntimeError, OSError) as error:
        _answer(answers, {"error": str(error)})
        os._exit(1)
    _answer(answers, {"url": url})
    threading.Event().wait()
    del server  # held until here: the server ends with its object


def _answer(stream: FileIO, answer: dict[str, str]) -> None:
    with contextlib.suppress(OSError):  # nobody listens any more; the end of standard input follows
        stream.write(json.dumps(answer).encode() + b"\n")


def _die_with_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C belongs to the person's own program
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if sys.platform == "linux":
        # At once and by the kernel, even while the weights are loading and no Python thread runs.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _exit_at_eof() -> None:
    with contextlib.suppress(OSError):  # a pipe that cannot be read has ended as well
        while os.read(0, 4096):
            pass
    os._exit(0)


if __name__ == "__main__":
    main()
