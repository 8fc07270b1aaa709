"""convend: a terminal chat client in which the model can end a conversation."""

__version__ = "0.1.0"
