"""config.toml with every wrong value in the place of every setting: a sentence that names the file, or it works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from convend_tui import config
from convend_tui.config.settings import SECTIONS, Config, Price, Server
from convend_tui.config.show import show
from convend_tui.config.source import setting_names
from convend_tui.errors import ConfigError
from convend_tui.paths import Paths
from convend_tui.plain import visible

WRONG = (
    *("true", "0", "-1", "1.5", "nan", "-inf", "1e308", "9" * 4000, "0x" + "f" * 9000, "0b" + "1" * 40_000, "1" * 5000),
    *('""', '" "', '"x"', '"\\u0000"', '"\\u001b[2J"', '"\\u202ex"', f'"{"x" * 70_000}"', "'''\nx\n'''", '"auto"'),
    *('"http://["', '"http://x:99999999999"', '"http://\u0661"', '"https://x"', '"~no-such-person/x"', '"C:\\\\x"'),
    *("[]", "[[]]", "[1, 'x', {}]", "['']", '["x"]', "[true]", "[nan]", "[" * 80 + "]" * 80),
    *(
        "{}",
        "{a = 1}",
        '{a = "x"}',
        '{"" = ""}',
        '{a.b.c = "x"}',
        '{"x\\u000ay" = "z"}',
        '{a = "{key}"}',
        "1979-05-27",
        "07:32:00",
        "0001-01-01",
    ),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999Z"),
)
"""In the words of TOML: of every type, at the borders, and beyond what Python makes a text of."""
REST = {"server": {"name": '"work"', "base_url": '"https://x.example"', "key_env": '"X"'}, "price": {"model": '"m"'}}
"""What a table must have beside the setting."""


def places() -> Iterator[tuple[str, str]]:
    """Every setting, with the line that its table begins with."""
    for name in setting_names(Config):
        yield "", name
    for section, kind in SECTIONS.items():
        for name in setting_names(kind):
            yield f"[{section}]", name
    for section, kind in {"server": Server, "price": Price}.items():
        for name in setting_names(kind):
            yield f"[[{section}]]", name
    yield from (("", name) for name in (*SECTIONS, *REST, "keys", "strange"))
    yield from (("[keys]", name) for name in ("new_chat", '"message.edit"', "strange"))


@pytest.mark.parametrize(("section", "name"), list(places()))
def test_every_wrong_value_in_every_place(paths: Paths, section: str, name: str) -> None:
    rest = "\n".join(f"{key} = {value}" for key, value in REST.get(section.strip("[]"), {}).items() if key != name)
    for value in WRONG:
        text = f"{section}\n{name} = {value}\n{rest}\n"
        paths.config_file.write_text(text, "utf-8")
        try:
            show(config.load(paths))
        except ConfigError as error:
            said = str(error)
            assert str(paths.config_file) in said and said == visible(said) and "\n" not in said
            assert len(said) < 1000, said
        assert paths.config_file.read_text("utf-8") == text
