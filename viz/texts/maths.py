r"""Maths in labels, `$\alpha_i$`: as the letters that every format of a figure can write."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from ... import checks

_COMMANDS = """
alpha beta gamma delta varepsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon varphi chi psi
omega Gamma Delta Theta Lambda Xi Pi Sigma Upsilon Phi Psi Omega times cdot pm odot otimes oplus circ ast to gets mapsto
leq geq neq approx sim in infty sum prod partial nabla prime ell parallel cdots
"""
_SIGNS = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ×·±⊙⊗⊕∘∗→←↦≤≥≠≈∼∈∞∑∏∂∇′ℓ∥⋯"
SIGNS: Mapping[str, str] = MappingProxyType(dict(zip(_COMMANDS.split(), _SIGNS, strict=True)))
"""The signs of maths by their commands in LaTeX, one command a sign."""
_ALSO = {"epsilon": "ε", "phi": "φ", "rightarrow": "→", "leftarrow": "←", "le": "≤", "ge": "≥", "ne": "≠", "ldots": "…"}
_ALSO |= {"dots": "…", "lVert": "∥", "rVert": "∥", "Vert": "∥", "mid": "|", "star": "∗"}
_NAMES = ("log", "exp", "max", "min", "tanh", "sin", "cos", "softmax", "arg", "dim")
_PLAIN = ("mathrm", "mathbf", "mathit", "mathsf", "mathcal", "left", "right")
_WORDS = ("text", "textbf", "textit", "textrm", "operatorname")
_SPACES = {"\\,": " ", "\\ ": " ", "\\;": " ", "\\:": " ", "\\quad": "  ", "\\!": "", "~": " "}
_APART = frozenset("=<>+−×·±⊙⊗⊕∘∗→←↦≤≥≠≈∼∈")
LOW: Mapping[str, str] = MappingProxyType(
    dict(zip("0123456789+−=()aehijklmnoprstuvxβγρφχ", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓᵦᵧᵨᵩᵪ", strict=True))
)
HIGH: Mapping[str, str] = MappingProxyType(
    dict(
        zip(
            "0123456789+−=()abcdefghijklmnoprstuvwxyzABDEGHIJKLMNOPRTUVWβγδ′∗×",
            "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᴬᴮᴰᴱᴳᴴᴵᴶᴷᴸᴹᴺᴼᴾᴿᵀᵁⱽᵂᵝᵞᵟ′*ˣ",
            strict=True,
        )
    )
)
_TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\s+|.", re.DOTALL)


def with_maths(argument: str, text: str) -> str:
    r"""A text whose maths between dollar signs is written in letters; `\$` is a dollar.

    Raises:
        ValueError: maths that does not parse, or of what there are no letters.

    >>> with_maths("label", r"gate $\alpha_i$, $3{\times}3$")
    'gate αᵢ, 3×3'
    >>> with_maths("label", r"$W^{(t+1)} = \sigma(x_{ij}) \odot \frac{a}{b+1}$, 5\$")
    'W⁽ᵗ⁺¹⁾ = σ(xᵢⱼ) ⊙ a/(b + 1), 5$'
    """
    parts = re.split(r"(?<!\\)\$", text)
    if len(parts) % 2 == 0:
        raise checks.refuse(argument, text, r"text with its maths between two $ (\$ is a dollar)")
    return "".join(
        _written(argument, text, part) if place % 2 else part.replace("\\$", "$") for place, part in enumerate(parts)
    )


class _Group(str):
    """What stands in braces, which has no spaces around it."""


_Refuse = Callable[[str], Exception]
_LONGEST = 120  # signs of one piece of maths


def _written(argument: str, text: str, maths: str) -> str:
    """One piece of maths in letters."""

    def refuse(why: str) -> Exception:
        return checks.complaint(f"{argument} {checks.one_line(text)} {why}")

    tokens = _TOKEN.findall(maths)
    if len(tokens) > _LONGEST:
        raise refuse(f"has more than {_LONGEST} signs between two $")
    return _spaced(list(_pieces(iter(tokens), "", refuse)))


def _pieces(tokens: Iterator[str], end: str, refuse: _Refuse) -> Iterator[str]:
    """What is written up to a closing brace, or to the end."""
    while (token := _next(tokens)) != end:
        if token == "":
            raise refuse("has a { without a }")
        yield _piece(token, tokens, refuse)


def _piece(token: str, tokens: Iterator[str], refuse: _Refuse) -> str:
    if token in "^_":
        letters, where = (HIGH, "high") if token == "^" else (LOW, "low")
        inside = _argument(token, tokens, refuse).replace(" ", "")
        for letter in inside:
            if letter not in letters:
                raise refuse(f"has {letter!r}, which cannot be set {where}")
        return "".join(map(letters.__getitem__, inside))
    if token == "{":
        return _Group("".join(_pieces(tokens, "}", refuse)))
    if token == "}":
        raise refuse("has a } without a {")
    if token in _SPACES:
        return _SPACES[token]
    return _command(token[1:], tokens, refuse) if token.startswith("\\") else "−" if token == "-" else token


def _command(name: str, tokens: Iterator[str], refuse: _Refuse) -> str:
    if name in SIGNS or name in _ALSO:
        return SIGNS.get(name) or _ALSO[name]
    if name in _NAMES:
        return name
    if name in _WORDS:
        if _next(tokens) != "{":
            raise refuse(f"has no {{ after \\{name}")
        return _Group("".join(iter(lambda: next(tokens, "}"), "}")))
    if name in _PLAIN:
        return _argument(f"\\{name}", tokens, refuse)
    if name == "frac":
        return "/".join(_bracketed(_argument("\\frac", tokens, refuse)) for _ in range(2))
    if name == "sqrt":
        return f"√{_bracketed(_argument(chr(92) + name, tokens, refuse))}"
    if not name.isalpha():
        return name  # \{, \%
    known = (*SIGNS, *_ALSO, *_NAMES, *_PLAIN, *_WORDS, "frac", "sqrt")
    raise refuse(f"has \\{name}, which is not known{checks.nearest(name, known)}")


def _argument(of: str, tokens: Iterator[str], refuse: _Refuse) -> str:
    token = _next(tokens)
    if token in ("", "}"):
        raise refuse(f"has nothing after {of}")
    return _spaced(list(_pieces(tokens, "}", refuse))) if token == "{" else _piece(token, tokens, refuse)


def _next(tokens: Iterator[str]) -> str:
    """The next token that is no space; "" at the end."""
    return next((token for token in tokens if not token.isspace()), "")


def _spaced(pieces: list[str]) -> str:
    """Pieces in a row, with spaces around signs that stand between two."""
    found = ""
    for place, piece in enumerate(pieces):
        between = (
            type(piece) is str
            and piece in _APART
            and 0 < place < len(pieces) - 1
            and pieces[place - 1] not in (*_APART, "(", ",")
        )
        found += f" {piece} " if between else f"{piece} " if piece == "," else piece
    return found


def _bracketed(inside: str) -> str:
    return inside if len(inside) == 1 or inside.isalnum() else f"({inside})"
