"""The exception tree. Every message is one or two sentences fit for the person's eyes.

::

    ConvendError                    could not (exit 1)
    ├── UsageError                  the words of a command are off (exit 2)
    ├── ConfigError                 config.toml: names file, line, key, nearest valid name
    ├── StoreError                  the disk: full, read-only, missing, damaged
    │   ├── NotFound                no such thread or message, or a beginning that fits several
    │   └── Unreadable              a thread file that cannot be read at all, or is of a newer format
    ├── RuleError                   the rules of a thread do not allow it
    │   └── Locked                  the model ended the conversation on this branch (exit 3)
    ├── AttachmentError             a file that cannot be attached
    ├── SyncError                   git failed, or the remote is not one to sync with; both sides are whole
    ├── ExchangeError               a file that cannot be imported, or an export that cannot be written
    ├── ModelError                  no answer came (exit 4)
    │   └── NotConnected            no server, no key, no built-in model
    └── LocalModelError             the built-in model could not be fetched or started
"""

from __future__ import annotations


class ConvendError(Exception):
    """Base of all errors that convend raises on purpose. `str(error)` is shown to the person."""

    exit_code = 1


class UsageError(ConvendError):
    """A command was given words it does not understand."""

    exit_code = 2


class ConfigError(ConvendError):
    """config.toml is not valid; the message names the file, the line and the key."""


class StoreError(ConvendError):
    """The disk refused, or holds something that cannot be used."""


class NotFound(StoreError):
    """No thread or message of that id, or several that begin with it."""


class Unreadable(StoreError):
    """A thread file that must not be written: damaged at its head, or of a newer format."""


class RuleError(ConvendError):
    """The rules of a thread (thread/lock.py) do not allow what was asked."""


class Locked(RuleError):
    """The model ended the conversation on this branch. Nothing was sent, nothing was written."""

    exit_code = 3


class AttachmentError(ConvendError):
    """A file is missing, too large, or of a kind that cannot be attached."""


class SyncError(ConvendError):
    """git failed, or cannot be used with this folder or this remote. Nothing is lost on either side."""


class ExchangeError(ConvendError):
    """A file that cannot be imported, or an export that cannot be written. Nothing was half done."""


class ModelError(ConvendError):
    """No answer came: the server, the network or the key failed, or the stream broke off.

    Args:
        message: the sentence for the person, with what to do about it.
        kind: a stable word for programs, such as `rate_limit_error`.
        retryable: whether the same request may work a little later.
        retry_after: seconds the server asked to wait, if it did.
        advice: a sentence that the message ends with, unless the advice is being followed already.

    Attributes:
        what: the message without the advice.
        status: the HTTP status of the server's answer, if there was one.
        request_id: the server's own name of the request, if it gave one.
    """

    exit_code = 4

    def __init__(
        self,
        message: str,
        *,
        kind: str = "error",
        retryable: bool = False,
        retry_after: float | None = None,
        advice: str = "",
    ) -> None:
        super().__init__(f"{message} {advice}" if advice else message)
        self.what = message
        self.kind = kind
        self.retryable = retryable
        self.retry_after = retry_after
        self.status: int | None = None
        self.request_id: str | None = None


class NotConnected(ModelError):
    """There is no model to send to: no key, no server in config.toml, no built-in model."""

    def __init__(self, message: str) -> None:
        super().__init__(message, kind="not_connected")


class LocalModelError(ConvendError):
    """The built-in model could not be fetched, checked or started."""
