"""Matchers as Prometheus Alertmanager writes and reads them: `a="b"`, `c!=d`, `{e=~"f|g", h!~"i.*"}`.

Two grammars, as in Alertmanager: the classic one, which takes nearly anything as a value, and where that refuses, the
UTF-8 one, which lets a label's name be quoted.

Source: Alertmanager's `pkg/labels/parse.go`, `matcher/parse` and `matcher/compat` (fallback mode).
Regular expressions are RE2's, read by its library: it never backtracks, so none can hang (decision 0013).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, get_args

import re2

Op = Literal["=", "!=", "=~", "!~"]

_CLASSIC: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|=|!=|!~)\s*(.*?)\s*", re.DOTALL | re.ASCII)
_TOKEN: Final = re.compile(
    r"""\s*(?:(?P<punctuation>[{},])|(?P<op>=~|=|!=|!~)|"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>[^\s{}!=~,\\"'`]+))""",
    re.DOTALL,
)
_GO_ESCAPE: Final = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.?))", re.DOTALL
)
_GO_SINGLE: Final = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"',
}  # fmt: skip
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
# A piece of a regular expression: an escape, a quotation in which nothing is one, or a character.
_PIECE: Final = re.compile(r"\\Q.*?(?:\\E|\Z)|\\.|.", re.DOTALL)
# What is refused is said in the error, not on stderr too.
_QUIET: Final = re2.Options()
_QUIET.log_errors = False


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label; a label that is absent is the empty string, and regular expressions are anchored."""

    label: str
    op: Op
    value: str

    def __post_init__(self) -> None:
        """Refuse with a `ValueError` an operator or a regular expression that Alertmanager would refuse."""
        if self.op not in get_args(Op):
            raise ValueError(f"{self.op!r} is no operator: write one of = != =~ !~")
        if self.op in {"=~", "!~"}:
            _search(self.value)

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels satisfy this condition."""
        text = labels.get(self.label, "")
        if self.op in {"=", "!="}:
            return (text == self.value) is (self.op == "=")
        found = _search(self.value)(_encoded(text))
        return (found is not None) is (self.op == "=~")

    def __str__(self) -> str:
        """As Alertmanager writes it."""
        value = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        name = self.label if _CLASSIC.fullmatch(f"{self.label}=") else f'"{self.label}"'
        return f'{name}{self.op}"{value}"'


@lru_cache(maxsize=4096)
def _search(pattern: str) -> Callable[[bytes], object]:
    """What finds the pattern in a text's bytes; what Alertmanager would refuse is a `ValueError` with a sentence."""
    refused = f"the regular expression {pattern!r} is refused by RE2"
    if _SURROGATE.search(pattern):
        raise ValueError(f"{refused}: half a surrogate pair is no character")
    # RE2's library takes it as any one byte; Go's, which Alertmanager is built with, refuses it.
    if "\\C" in _PIECE.findall(pattern):
        raise ValueError(rf"{refused}: invalid escape sequence: \C")
    try:
        # As Alertmanager builds it.
        search: Callable[[bytes], object] = re2.compile(f"^(?:{pattern})$", _QUIET).search
    except re2.error as error:
        (why,) = error.args
        said = why.decode(errors="replace") if isinstance(why, bytes) else str(why)
        raise ValueError(f"{refused}: {said}") from error
    return search


def _encoded(text: str) -> bytes:
    """As UTF-8, with the replacement character for half a surrogate pair, as Go reads it."""
    return _SURROGATE.sub("\ufffd", text).encode()


def parse_matchers(text: str) -> tuple[Matcher, ...]:
    """The matchers of one string, separated by commas, in braces or not; none in an empty string.

    What neither grammar takes is a `ValueError` with a sentence.
    """
    try:
        return tuple(_classic(token) for token in _split(text))
    except ValueError as refused:
        try:
            return tuple(_utf8(text))
        except ValueError:
            # Alertmanager too reports what its classic parser says.
            raise refused from None


def _split(text: str) -> Iterator[str]:
    """Cut at the commas outside quotes."""
    text = text.removeprefix("{").removesuffix("}")
    token, quoted, escaped = "", False, False
    for char in text:
        if char == "," and not quoted:
            yield token
            token = ""
            # As in Alertmanager, a comma outside quotes doesn't end an escape.
            continue
        if char == '"' and not escaped:
            quoted = not quoted
        escaped = char == "\\" and not escaped
        token += char
    if token.strip():
        yield token.strip()


def _classic(token: str) -> Matcher:
    found = _CLASSIC.fullmatch(token)
    if found is None:
        raise ValueError(f'{token.strip()!r} is no matcher: write label="value", with one of = != =~ !~')
    label, op, raw = found.groups()
    return Matcher(label, op, _unescaped(raw))  # type: ignore[arg-type]  # the pattern admits only the operators


def _unescaped(raw: str) -> str:
    r"""A classic value without its quotes: `\"`, `\\` and `\n` are escapes, any other backslash is itself."""
    inner = raw.removeprefix('"')
    needs_quote = inner != raw
    if needs_quote and inner.endswith('"'):
        body, needs_quote = inner[:-1], False
        # An escaped quote is no end, and the sole quote of `"` has been taken as the beginning.
        if (len(body) - len(body.rstrip("\\"))) % 2:
            body, needs_quote = inner, True
    else:
        body = inner
    plain = re.sub(r'\\[n"\\]', "", body)
    if needs_quote or '"' in plain:
        raise ValueError(f'the value {raw!r} has a double quote where none may be: write \\" for one inside a value')
    return re.sub(r'\\([n"\\])', lambda found: "\n" if found[1] == "n" else found[1], body)


def _utf8(text: str) -> Iterator[Matcher]:
    tokens = list(_tokens(text))
    if tokens and tokens[0] == ("punctuation", "{"):
        if tokens[-1] != ("punctuation", "}") or len(tokens) == 1:
            raise ValueError(f"{text!r} has no closing brace")
        tokens = tokens[1:-1]
    while tokens:
        kinds = [kind for kind, _ in tokens[:3]]
        if len(kinds) < 3 or kinds[0] != "word" or kinds[1] != "op" or kinds[2] != "word":  # noqa: PLR2004
            raise ValueError(f'{text!r} is no list of matchers: write label="value", with commas between')
        (_, label), (_, op), (_, value) = tokens[:3]
        yield Matcher(label, op, value)  # type: ignore[arg-type]  # the pattern admits only the operators
        if tokens[3:] and tokens[3] != ("punctuation", ","):
            raise ValueError(f"{text!r} needs a comma between its matchers")
        tokens = tokens[4:]


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    text = text.rstrip()
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(f"{text[at:]!r} is not to be read as a matcher")
        if found["quoted"] is not None:
            yield "word", _go_unquoted(found["quoted"])
        elif found["bare"] is not None:
            yield "word", found["bare"]
        else:
            yield str(found.lastgroup), found[0].strip()
        at = found.end()


def _go_unquoted(quoted: str) -> str:
    """What Go's `strconv.Unquote` makes of a quoted string's inside."""
    if "\n" in quoted:
        raise ValueError("a line break in a quoted string is written \\n")

    def one(found: re.Match[str]) -> str:
        digits = found[1] or found[2] or found[3]
        code = int(digits, 16) if digits else int(found[4], 8) if found[4] else -1
        # Bytes beyond ASCII would have to make up UTF-8 together: nobody writes a label so.
        limit = 0x7F if found[1] or found[4] else 0x10FFFF
        if code < 0 and found[5] in _GO_SINGLE:
            return _GO_SINGLE[found[5]]
        if not 0 <= code <= limit or 0xD800 <= code <= 0xDFFF:  # noqa: PLR2004 (the surrogates)
            raise ValueError(f"{found[0]!r} is no escape in a quoted string")
        return chr(code)

    return _GO_ESCAPE.sub(one, quoted)
