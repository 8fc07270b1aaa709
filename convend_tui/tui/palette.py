"""The colours of the transcript, taken from the Textual theme once and handed to whatever renders lines."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

import msgspec
from rich.style import Style
from textual.color import Color, ColorParseError

if TYPE_CHECKING:
    from textual.app import App

Tone = Literal["user", "assistant", "notice", "error", "none"]
"""Whose lines these are: it chooses the colour of the bar at their left."""

_MIN_CONTRAST: Final = 4.5

_CODE_THEMES: Final = {
    "nord": "nord",
    "gruvbox": "gruvbox-dark",
    "dracula": "dracula",
    "monokai": "monokai",
    "solarized-dark": "solarized-dark",
    "solarized-light": "solarized-light",
}


class Palette(msgspec.Struct, frozen=True):
    """Rich style definitions by purpose. Hashable: what was rendered is kept per width and palette.

    A style holds a colour or an attribute, so that an `ansi` palette can say `dim` where another has a grey.
    `code_theme` is a Pygments style, or `ansi` (the terminal's 16 colours), or `mono` (attributes only).
    `mono` asks for marks where colour would otherwise be the only sign.
    """

    text: str = ""
    background: str = ""
    dim: str = "dim"
    accent: str = "magenta"
    heading: str = "blue"
    code_bg: str = ""
    code_theme: str = "ansi"
    inline_code: str = "cyan"
    link: str = "blue underline"
    quote: str = "dim"
    rule: str = "dim"
    user_bar: str = "green"
    assistant_bar: str = "blue"
    focus_bar: str = "bold"
    notice: str = "yellow"
    error: str = "red"
    mono: bool = False

    def style(self, name: str) -> Style:
        """The Rich style of the field `name`."""
        return _parsed(getattr(self, name))

    def bar(self, tone: Tone) -> Style:
        """The style of the bar at the left of a message of `tone`."""
        names = {"user": "user_bar", "assistant": "assistant_bar", "notice": "notice", "error": "error"}
        return self.style(names.get(tone, "rule"))


@lru_cache(maxsize=512)
def _parsed(definition: str) -> Style:
    return Style.parse(definition) if definition else Style.null()


def palette_of(app: App[object]) -> Palette:
    """The palette of the app's current theme; it tells 16-colour themes and `NO_COLOR` apart.

    Cost: about a millisecond, so keep the result until the theme changes.
    """
    variables = app.get_css_variables()
    if app.native_ansi_color:
        return _ansi_palette(variables, mono=app.no_color)
    return _rgb_palette(variables, app.current_theme.name, dark=app.current_theme.dark, mono=app.no_color)


def legible(colour: str, background: str, text: str) -> str:
    """`colour` (all three `#rrggbb`), moved towards `text` until it stands out from `background`."""
    shown, ground, target = Color.parse(colour), Color.parse(background), Color.parse(text)
    for _ in range(8):
        if _contrast(shown, ground) >= _MIN_CONTRAST:
            break
        shown = shown.blend(target, 0.2)
    return shown.hex6


def _contrast(one: Color, other: Color) -> float:
    """The contrast ratio of WCAG 2, from 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Color) -> float:
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in colour.normalized
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _colour(value: str | None, fallback: Color) -> Color:
    try:
        return Color.parse(value) if value else fallback
    except ColorParseError:  # such as "auto 87%": relative to what it stands on
        return fallback


def _rgb_palette(variables: dict[str, str], theme: str, *, dark: bool, mono: bool) -> Palette:
    background = _colour(variables.get("background"), Color.parse("#121212" if dark else "#e8e8e8"))
    text = _colour(variables.get("foreground"), Color.parse("#e0e0e0" if dark else "#1f1f1f"))
    background = background.with_alpha(1.0)

    def of(name: str) -> str:
        return (background + _colour(variables.get(name), text)).hex6

    def towards_text(share: float) -> str:
        return background.blend(text, share, alpha=1.0).hex6

    tint = towards_text(0.07)
    code_theme = _CODE_THEMES.get(theme, "github-dark" if dark else "friendly")
    return Palette(
        text=text.hex6,
        background=background.hex6,
        dim=towards_text(0.62),
        accent=of("text-accent"),
        heading=text.hex6 if mono else of("text-primary"),
        code_bg=f"on {tint}",
        code_theme="mono" if mono else code_theme,
        inline_code=f"{text.hex6 if mono else of('text-accent')} on {tint}",
        link=f"{text.hex6 if mono else of('text-primary')} underline",
        quote=towards_text(0.72),
        rule=towards_text(0.3),
        user_bar=of("text-accent"),
        assistant_bar=of("text-primary"),
        focus_bar=f"{text.hex6} bold",
        notice=of("text-warning"),
        error=of("text-error"),
        mono=mono,
    )


def _ansi_palette(variables: dict[str, str], *, mono: bool) -> Palette:
    def of(name: str, fallback: str) -> str:
        value = variables.get(name, "").split(" ")[0]
        known = value.startswith("ansi_") and value != "ansi_default"
        return value.removeprefix("ansi_") if known else fallback

    if mono:
        return Palette(code_theme="mono", mono=True, inline_code="", link="underline", accent="", heading="")
    return Palette(
        accent=of("text-accent", "magenta"),
        heading=of("text-primary", "blue"),
        inline_code=of("text-secondary", "cyan"),
        link=f"{of('text-primary', 'blue')} underline",
        user_bar=of("text-accent", "green"),
        assistant_bar=of("text-primary", "blue"),
        notice=of("text-warning", "yellow"),
        error=of("text-error", "red"),
    )
