"""What an empty chat says."""

from __future__ import annotations

from convend_tui.config import LOCAL_SERVER
from convend_tui.errors import NotConnected
from convend_tui.model.connect import Models
from convend_tui.tui.conversation import Conversation
from convend_tui.tui.notices import WelcomeItem

_CONNECT = """\
convend can talk to Claude and to any server of the Anthropic Messages API:

• Claude: set ANTHROPIC_API_KEY before starting convend.
• Ollama, llama.cpp, LM Studio, vLLM, LiteLLM …: set ANTHROPIC_BASE_URL to the server's address.
• Several servers, keys from a password manager: convend config --init writes an example of config.toml."""

_LOCAL = """\
• No key at all: the built-in model, 98 MB, runs here. convend local install fetches it, or Ctrl+O."""

_OFFLINE = (
    "Everything saved can be read, branched in view and copied meanwhile; only sending needs a model. The tour shows "
    "how: it is in the list of chats (Ctrl+T), or among the commands (Ctrl+P)."
)

_ENDING = (
    "The model can end a conversation, as a last resort. Then this branch locks, and you can still begin a new chat or "
    "edit an earlier message."
)
_NO_ENDING = "In this chat the model cannot end the conversation: config.toml has it turned off."


def connect_text() -> str:
    """How to connect a model."""
    return f"{_CONNECT}\n{_LOCAL}"


def welcome(models: Models, conversation: Conversation) -> WelcomeItem:
    """For a chat without messages: how to begin, or how to connect a model."""
    if models.missing(conversation.wanted) is not None:
        return WelcomeItem("No model is connected yet", f"{connect_text()}\n\n{_OFFLINE}")
    try:
        server, model = models.config.resolve(conversation.wanted)
    except NotConnected:
        server, model = "", ""
    if server == LOCAL_SERVER:
        from convend_tui.model.local import MODEL_NOTE

        return WelcomeItem("A new chat with the built-in model", f"{MODEL_NOTE}\n\nFor a real one:\n\n{_CONNECT}")
    chosen = models.config.server(server)
    can_end = models.config.ending.enabled and chosen is not None and chosen.ending
    words = _ENDING if can_end else _NO_ENDING
    return WelcomeItem(
        "A new chat", f"{model} will answer. Write below and press Enter.\n\n{words} F1 lists every key."
    )
