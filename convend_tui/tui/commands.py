"""Everything a person can do, declared once: this table feeds the key bindings, the palette, the key hints, the help
screen and the README's list of keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from textual.binding import Binding, BindingType

Where = Literal["anywhere", "transcript", "composer", "tree", "list", "replay"]

SECTIONS: Mapping[Where, str] = {
    "anywhere": "Anywhere",
    "transcript": "In the conversation (Esc goes there)",
    "composer": "While writing",
    "tree": "In the tree",
    "list": "In the list of chats",
    "replay": "In a replay",
}


class Command(msgspec.Struct, frozen=True):
    """One thing to do. `id` is public: `[keys]` in config.toml refers to it."""

    id: str
    keys: tuple[str, ...]
    """By Textual's names."""
    where: Where
    label: str
    """For the key hints: one or two words."""
    help: str
    """One sentence."""
    bound: bool = True
    """False: the widget itself acts on the key; listed for help."""
    in_tree: bool = False
    """A command of the conversation that the tree has as well, for the row under its cursor."""

    @property
    def rebinds(self) -> bool:
        """Whether `[keys]` can give it other keys."""
        return self.bound and bool(self.keys)


COMMANDS: tuple[Command, ...] = (
    Command("new", ("ctrl+n",), "anywhere", "New chat", "Start a new chat. Drafts stay where they are."),
    Command("threads", ("ctrl+t",), "anywhere", "Chats", "Go to the list of chats; from there, hide it."),
    Command("search", ("ctrl+f",), "anywhere", "Search", "Search every message of every branch of every chat."),
    Command("hit_next", ("ctrl+g",), "anywhere", "Next hit", "Go to the next message that the search found."),
    Command("restore", (), "anywhere", "Restore a trashed chat", "Bring back a chat that was thrown away."),
    Command("model", ("ctrl+o",), "anywhere", "Model", "Choose the model, from the servers' own lists."),
    Command("rename", ("f2",), "anywhere", "Rename", "Give this chat a name of your own."),
    Command("attach", ("f4",), "anywhere", "Attach", "Attach a text file, an image or a PDF to your message."),
    Command("export", (), "anywhere", "Export", "Write this branch or the whole chat to a file for other programs."),
    Command("import", (), "anywhere", "Import", "Bring in chats from an export of Claude.ai, ChatGPT or Claude Code."),
    Command("report", (), "anywhere", "Report", "Write a report on this chat's endings to a file, to send on."),
    Command("tour", (), "anywhere", "Tour", "Open the tour, a chat that shows what convend can do."),
    Command("palette", ("ctrl+p",), "anywhere", "Commands", "Find a command by its name.", bound=False),
    Command("help", ("f1",), "anywhere", "Help", "List every key."),
    Command("theme", (), "anywhere", "Theme", "Choose the colours."),
    Command("quit", ("ctrl+q",), "anywhere", "Quit", "Leave convend. A reply that is coming in is kept."),
    Command(
        "back",
        ("escape",),
        "anywhere",
        "Back",
        "Stop the reply; else leave an edit or a panel; else switch between writing and the conversation.",
    ),
    Command("previous", ("up", "k"), "transcript", "Previous", "Go to the message above."),
    Command("next", ("down", "j"), "transcript", "Next", "Go to the message below."),
    Command(
        "edit",
        ("e",),
        "transcript",
        "Edit",
        "Edit your message; it is sent as a new branch. On an ending: the last message before the warning.",
    ),
    Command("retry", ("r",), "transcript", "Retry", "Ask for another answer to the same question."),
    Command(
        "older",
        ("left_square_bracket", "left"),
        "transcript",
        "Branch ‹",
        "Show the branch before this one, where you last were on it.",
    ),
    Command("newer", ("right_square_bracket", "right"), "transcript", "Branch ›", "Show the branch after this one."),
    Command("tree", ("t",), "transcript", "Tree", "Show every message of every branch; from there, hide them."),
    Command(
        "compare",
        ("d",),
        "transcript",
        "Compare",
        "Compare this branch with another, word by word, and keep one.",
        in_tree=True,
    ),
    Command(
        "label",
        ("l",),
        "transcript",
        "Label",
        "Give the message, and the branch it begins, a name. Empty: none.",
        in_tree=True,
    ),
    Command(
        "hide",
        ("x",),
        "transcript",
        "Hide",
        "Hide the message and all below it, after a look at how much it is.",
        in_tree=True,
    ),
    Command("hide_others", ("X",), "transcript", "Hide others", "Hide every branch but the one that is shown."),
    Command("unhide", ("u",), "transcript", "Undo hide", "Bring back what was hidden last.", in_tree=True),
    Command(
        "fork",
        ("F",),
        "transcript",
        "Fork",
        "Copy the path down to here, or the whole tree, into a new chat.",
        in_tree=True,
    ),
    Command(
        "replay",
        ("R",),
        "transcript",
        "Replay",
        "Play this branch as it came, message by message. From the tree: from the message there.",
        in_tree=True,
    ),
    Command(
        "why",
        ("w",),
        "transcript",
        "Why",
        "On an ending, or where the model asked for one: what it cited, and where that stands.",
    ),
    Command("feedback", ("f",), "transcript", "Feedback", "Say that an answer or an ending was right or wrong."),
    Command("cost", ("c",), "transcript", "Cost", "Show what this turn, this branch and the whole chat took."),
    Command("copy", ("y",), "transcript", "Copy", "Copy the message as it was written (its Markdown source)."),
    Command("link", ("L",), "transcript", "Link", "Open a web address of the message, which is shown in full first."),
    Command("fold", ("o",), "transcript", "Thinking", "Unfold or fold the model's thinking."),
    Command(
        "new_here",
        ("n",),
        "transcript",
        "New chat",
        "Start a new chat. From a message that the search found: go to the next one, until Esc.",
    ),
    Command("hit_previous", ("N",), "transcript", "Previous hit", "Go to the message that the search found before."),
    Command(
        "write",
        ("enter", "i"),
        "transcript",
        "Write",
        "Go to the message you are writing. On a reply above the end: write below it, a new branch.",
    ),
    Command("top", ("home", "g"), "transcript", "Top", "Go to the first message."),
    Command("bottom", ("end", "G"), "transcript", "End", "Go to the last message, and follow the reply."),
    Command("keys", ("question_mark",), "transcript", "Help", "List every key."),
    Command("send", ("enter",), "composer", "Send", "Send the message.", bound=False),
    Command("newline", ("ctrl+j",), "composer", "New line", "Begin a new line.", bound=False),
    Command("tree_go", ("enter",), "tree", "Go there", "Show the message in its branch; unfold a fold.", bound=False),
    Command("tree_fold", ("o", "right", "left"), "tree", "Fold", "Unfold or fold a straight run.", bound=False),
    Command("tree_fold_all", ("O",), "tree", "Fold all", "Unfold or fold every straight run.", bound=False),
    Command(
        "tree_filter",
        ("slash",),
        "tree",
        "Filter",
        "Show only the messages with these words, and what they answer. Esc leaves it.",
        bound=False,
    ),
    Command(
        "tree_fork",
        ("n", "N"),
        "tree",
        "Fork",
        "Go to the next or the previous fork; with a filter, to a message it found.",
        bound=False,
    ),
    Command(
        "tree_branch",
        ("left_square_bracket", "right_square_bracket"),
        "tree",
        "Branch",
        "Go to the branch before or after this one.",
        bound=False,
    ),
    Command("tree_close", ("t", "escape"), "tree", "Close", "Close the tree.", bound=False),
    Command("list_filter", ("slash",), "list", "Filter", "Show only chats with this in their title. Esc clears it."),
    Command("pin", ("p",), "list", "Pin", "Keep the chat at the head of the list; again: no longer."),
    Command("trash", ("x", "delete"), "list", "Trash", "Throw the chat away, after a question."),
    Command("untrash", ("u",), "list", "Undo trash", "Bring back the chat that was thrown away last."),
    Command("replay_play", ("space",), "replay", "Play", "Pause, or go on. At the end: begin again.", bound=False),
    Command("replay_message", ("left", "right"), "replay", "Message", "A message back or on.", bound=False),
    Command(
        "replay_speed", ("up", "down"), "replay", "Speed", "Faster or slower: ¼ to 16 times, and instant.", bound=False
    ),
    Command("replay_piece", ("full_stop",), "replay", "Piece", "The next piece of a reply, and a pause.", bound=False),
    Command(
        "replay_branch",
        ("left_square_bracket", "right_square_bracket"),
        "replay",
        "Branch",
        "At a fork, or below it: go on along the branch before or after.",
        bound=False,
    ),
    Command("replay_ends", ("home", "end"), "replay", "First, last", "To the beginning, or to the end.", bound=False),
    Command(
        "replay_pauses", ("p",), "replay", "Pauses", "Long pauses as they were, or cut to 2 seconds again.", bound=False
    ),
    Command("replay_fold", ("o",), "replay", "Thinking", "Unfold or fold the model's thinking.", bound=False),
    Command("replay_keys", ("question_mark", "f1"), "replay", "Keys", "List the keys of the replay.", bound=False),
    Command("replay_leave", ("escape", "q"), "replay", "Leave", "Back to where one was.", bound=False),
)


def commands_in(where: Where, commands: Sequence[Command] = COMMANDS) -> list[Command]:
    """What can be done in a place, in the order of the table; in the tree, its own commands first."""
    own = [command for command in commands if command.where == where]
    return own + [command for command in commands if where == "tree" and command.in_tree]


BY_ID: Mapping[str, Command] = {command.id: command for command in COMMANDS}

_NO_KEY = "no_key"
"""Textual takes an empty string for `as before`; no key has this name."""
_NAMES = {
    "escape": "Esc",
    "enter": "Enter",
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "home": "Home",
    "end": "End",
    "left_square_bracket": "[",
    "right_square_bracket": "]",
    "question_mark": "?",
    "slash": "/",
    "delete": "Del",
    "space": "Space",
    "full_stop": ".",
}


def key_name(key: str) -> str:
    """A key as people write it: `Ctrl+N`, `Esc`, `[`."""
    if key in _NAMES:
        return _NAMES[key]
    *modifiers, last = key.split("+")
    if modifiers or (last.startswith("f") and last[1:].isdigit()):
        return "+".join(part.capitalize() for part in (*modifiers, _NAMES.get(last, last)))
    return last


class Keys:
    """The keys in force: the table's own, with the person's `[keys]` laid over them."""

    def __init__(self, own: Mapping[str, tuple[str, ...]]) -> None:
        self.unknown = sorted(set(own) - set(BY_ID))
        """Names in `[keys]` that are no commands."""
        self.fixed = sorted(name for name in own if name in BY_ID and not BY_ID[name].rebinds)
        """Names in `[keys]` of commands whose keys cannot be others."""
        self._own = {name: keys for name, keys in own.items() if name in BY_ID and BY_ID[name].rebinds}
        given = [(BY_ID[name].where, key) for name, keys in self._own.items() for key in keys]
        for command in COMMANDS:
            if command.rebinds and command.id not in self._own:
                # What the person gives to one command is no longer another's.
                taken = {key for where, key in given if command.where in (where, "anywhere") or where == "anywhere"}
                if taken & set(command.keys):
                    self._own[command.id] = tuple(key for key in command.keys if key not in taken)

    def of(self, command: Command) -> tuple[str, ...]:
        """The keys of a command."""
        return self._own.get(command.id, command.keys)

    @property
    def keymap(self) -> dict[str, str]:
        """The person's own keys, as Textual's `App.set_keymap` wants them."""
        return {name: ",".join(keys) or _NO_KEY for name, keys in self._own.items()}

    def shown(self, command: Command, most: int = 4) -> str:
        """The keys of a command for people: `↑ k`."""
        return " ".join(key_name(key) for key in self.of(command)[:most])


def bindings(where: Where) -> list[BindingType]:
    """Textual bindings for the commands of a place; each calls the screen's `do(id)`."""
    return [
        Binding(
            ",".join(command.keys),
            f"screen.do('{command.id}')",
            command.label,
            show=False,
            id=command.id,
            priority=where == "anywhere" and command.id != "back",
        )
        for command in commands_in(where)
        if command.bound and command.keys
    ]


def markdown_list(commands: Sequence[Command] = COMMANDS) -> str:
    """The README's list of keys: a Markdown table a section."""
    keys = Keys({})
    lines: list[str] = []
    for where, title in SECTIONS.items():
        lines += [f"**{title}**", "", "| key | does |", "| --- | --- |"]
        for command in commands_in(where, commands):
            names = " ".join(f"`{key_name(key)}`" for key in keys.of(command)) or "(palette)"
            lines.append(f"| {names} | {command.help} |")
        lines.append("")
    return "\n".join(lines)
