from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from convend_tui import config
from convend_tui.config import Config
from convend_tui.config.lines import Lines
from convend_tui.errors import ConfigError
from convend_tui.paths import Paths

SECRET = "sk-ant-api03-verysecret"
any_fixture = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "config.toml", tmp_path, tmp_path / "cache", tmp_path / "state")


def load(paths: Paths, text: str | bytes, environ: dict[str, str] | None = None) -> Config:
    paths.config_file.write_bytes(text.encode() if isinstance(text, str) else text)
    return config.load(paths, environ or {})


def complaint(paths: Paths, text: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        load(paths, text)
    return str(caught.value)


A = '[[server]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x =\n", "line 1, column 4: this is not valid TOML: Invalid value."),
        ("x = [\n", "line 2: this is not valid TOML"),
        (A + "\n# c\n[[server]]\nname = 'b'\n" + 'base_ulr = "x"', "line 7: unknown key `base_ulr` in [[server]]"),
        (A + 'base_ulr = "x"', "did you mean `base_url`?"),
        (A + '"base-url" = "x"', "line 3: unknown key `base-url` in [[server]]; did you mean `base_url`?"),
        (A + "zzz = 1", "line 3: unknown key `zzz` in [[server]]."),
        (A + 'api_key = "x"', "a key does not belong in this file: use key_env"),
        ('[server]\nname = "a"', "line 1: a server must be written as `[[server]]`"),
        ("server = [1]", "line 1: a server must be written"),
        ('[[server]]\nmodel = "x"', "line 1: [[server]] needs a name"),
        (A + "\n" + A, 'line 5: there are two servers named "a".'),
        (A + 'key_env = "X"\nkey_command = "y"', 'line 4: server "a" has both `key_env` and `key_command`'),
        (A + 'base_url = "http://x"\nheaders = { k = "{key}" }', "line 4: a header of server"),
        ('[[server]]\nname = "a/b"', 'must not hold "/"'),
        ('[[server]]\nname = "local"', "which is the built-in model"),
        ('[[server]]\nname = " "', "must not be empty"),
        (A + 'thinking = "Auto"', 'must be one of "auto", "adaptive", "off", not "Auto" (did you mean "auto"?).'),
        (A + 'thinking = ["auto"]', "not a list."),
        (A + 'key_command = [1]', "must be a command"),
        (A + 'key_keyring = "x"', 'must be "service/user"'),
        (A + "max_tokens = 0", "must be a whole number from 1 to 1000000, not 0."),
        (A + 'headers = { "a b" = "x" }', 'holds "a b", which is not the name of a header.'),
        ('\n[ending]\nenabled = "yes"', 'line 3: `enabled` in [ending] must be true or false, not "yes".'),
        ("[ending]\nmin_redirections = 0", "from 1 to 20, not 0."),
        ("[price]\ninput = 1", "in double brackets"),
        ("[[price]]\ninput = 1", "needs a model"),
        ('[[price]]\nmodel = "m"\ninput = -1', "an amount of money such as 2.5, not -1"),
        ('[[price]]\nmodel = "m"\noutput = true', "not true"),
        ('[[price]]\nmodel = "m"\noutput = nan', "not nan"),
        ("[ending]\nmin_redirections = true", "not true."),
        ("[endign]\nenabled = true", "line 1: unknown section `[endign]`; did you mean `[ending]`?"),
        ("[[servers]]", "did you mean `[[server]]`?"),
        ("[q]", "line 1: unknown section `[q]`."),
        ("[[ui]]", "line 1: `ui` must be a section"),
        ("ui = 5", "line 1: `ui` must be a section"),
        ("keys = 5", "line 1: `keys` must be a section"),
        ("[network]\ntimeout = nan", "not nan."),
        ("[network]\ntimeout = inf", "not inf."),
        ("system = 1", "line 1: `system` must be text in quotes, not 1."),
        ("[ui]\nsystem = 'x'", "`system` belongs at the top of the file, above the first section."),
        ("theme = 'x'", "it belongs in [ui]."),
        ("[ui]\ntimeout = 1", "line 2: unknown key `timeout` in [ui]; it belongs in [network]."),
        ("defualt_model = 'x'", "did you mean `default_model`?"),
        ("[keys]\n'a.b' = 'c'\na.b = 'd'", "line 3: `a.b` in [keys] is there twice."),
        ("[keys]\nx.y = 1", "line 2: `x.y` in [keys] must be a key"),
        ("x = " + "[" * 5000, "the values are nested too deeply."),
        ("x = " + "9" * 5000, "this is not valid TOML"),
        (b"# \xc3\xa4\n#\nx = '\xff'", "line 3: this is not UTF-8 text"),
        ("[ui]\nlist_width = \"" + "x" * 500 + '"', "xxx…."),
        ('"\\u001b[31m" = 1', "unknown key `\\x1b[31m`"),
    ],
)  # fmt: skip
def test_a_complaint_names_place_and_key(paths: Paths, text: str | bytes, expected: str) -> None:
    message = complaint(paths, text)
    assert message.startswith(str(paths.config_file))
    assert expected in message
    assert message.isprintable()


@pytest.mark.parametrize(
    "line",
    [
        f'key = "{SECRET}"',
        f'key_env = "{SECRET}"',
        f'key_command = "{SECRET}"',
        f'key_command = ["{SECRET}"]',
        f'headers = "{SECRET}"',
        f'headers = {{ x = "{SECRET}\\n" }}',
        f'base_url = "https://{SECRET}@x"',
        f'base_url = "https://x?key={SECRET}"',
    ],
)
def test_a_complaint_never_repeats_a_secret(paths: Paths, line: str) -> None:
    assert SECRET not in complaint(paths, A + line)


def test_what_cannot_be_read_is_named(paths: Paths) -> None:
    paths.config_file.mkdir()
    with pytest.raises(ConfigError, match="is not a file"):
        config.load(paths, {})


@any_fixture
@given(st.text() | st.binary())
@example("[[server]]\n" * 3)
@example("a.b.c.d = 1\n[a]\n")
def test_random_text_raises_nothing_but_config_error(paths: Paths, text: str | bytes) -> None:
    try:
        load(paths, text.encode("utf-8", "replace") if isinstance(text, str) else text)
    except ConfigError as error:
        assert str(error).isprintable()


SETTINGS = "server name base_url key_env key_command headers model ending enabled ui keys theme network timeout"
SIGNS = "= . , [ ] [[ ]] { } # ' \" \"\"\" ''' \\ true 1 'x' \"http://x\" 1979-05-27"
WORDS = [*SETTINGS.split(), *SIGNS.split(), "\n"]


@any_fixture
@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
def test_text_that_looks_like_settings_raises_nothing_but_config_error(paths: Paths, text: str) -> None:
    try:
        load(paths, text)
    except ConfigError as error:
        assert str(error).isprintable()


@given(st.text(alphabet="ab.=[]{}\"'#\\\n \t") | st.text())
def test_the_scanner_never_raises(text: str) -> None:
    line = Lines(text).find(("a", 0, "b"))
    assert line is None or 1 <= line <= text.count("\n") + 1


TRICKY = '''
# [a]
"q\\"=" = "[x]" # b = 1
t = """
b = 1
[[server]]
\\""" """
l = [ # ]
  "]",
  { x = 1 },
]
a . 'b c' = 1
[[server]]
name = 'it''s'
[[server]] # two
[server.headers]
h = 1
[[server]]
name = 1
[ "a" . d]
e = {f = 1, g = 2}
'''.replace("'it''s'", "'its'")


@pytest.mark.parametrize(
    ("where", "line"),
    [
        (('q"=',), 3),
        (("t",), 4),
        (("l",), 8),
        (("a", "b c"), 12),
        (("server", 0, "name"), 14),
        (("server", 1), 15),
        (("server", 1, "headers", "h"), 17),
        (("server", 2, "name"), 19),
        (("a", "d", "e", "g"), 21),
        (("server",), 13),
        (("b",), None),
        (("server", 1, "unknown"), 15),
    ],
)
def test_the_scanner_finds_lines(where: tuple[str | int, ...], line: int | None) -> None:
    assert tomllib.loads(TRICKY)["l"]
    assert Lines(TRICKY).find(where) == line
    assert Lines(TRICKY.replace("\n", "\r\n")).find(where) == line


VALUES = st.sampled_from(
    ["1", '"""\n[[server]]\nwrong = 1\n"""', "[\n1, # ]\n'['\n]", "'''\n'\n'''", '"#"', "{ a = 1 }"]
)


@given(st.lists(st.lists(VALUES, max_size=4), min_size=1, max_size=4), st.data())
def test_the_scanner_finds_a_key_of_any_server(tables: list[list[str]], data: st.DataObject) -> None:
    """Values with line feeds, brackets and headers inside strings do not lead the scanner astray."""
    number = data.draw(st.integers(0, len(tables) - 1))
    lines: list[str] = []
    expected = 0
    for index, values in enumerate(tables):
        lines += ["[[server]]"]
        for place, value in enumerate(values):
            lines += f"k{place} = {value}".split("\n")
        if index == number:
            expected = len(lines) + 1
            lines += ["wrong = 1"]
    text = "\n".join(lines)
    tomllib.loads(text)
    assert Lines(text).find(("server", number, "wrong")) == expected
