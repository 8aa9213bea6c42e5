r"""RE2's regular expressions, which Alertmanager's matchers are written in, read with Python's `re`.

What RE2 has and Python lacks is translated (`\z`, `\Q…\E`, `[[:alpha:]]`, `\p{Han}`, flags in mid-pattern) or refused
with a sentence (other `\p{…}`); what Python has and RE2 refuses (look-around, back-references, possessive repetition,
atomic groups) is refused. Groups capture nothing. Unlike RE2, Python's search backtracks: it may take exponential time.

Source: https://github.com/google/re2/wiki/Syntax; Go's `regexp/syntax`.
"""

import re
from functools import lru_cache
from typing import Final

_MAX_REPEAT: Final = 1000
_SPACE: Final = r"\t\n\x0c\r "
_WORD: Final = "0-9A-Za-z_"
# As they stand inside a class: a negation reaches up to the last character there is.
_PERL: Final = {
    "d": "0-9",
    "w": _WORD,
    "s": _SPACE,
    "D": r"\x00-/:-\U0010ffff",
    "W": r"\x00-/:-@\[-\^`\{-\U0010ffff",
    "S": r"\x00-\x08\x0b\x0e-\x1f!-\U0010ffff",
}
_POSIX: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": r"\x00-\x7f",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`\{-~",
    "space": r"\t\n\x0b\x0c\r ",
    "upper": "A-Z",
    "word": _WORD,
    "xdigit": "0-9A-Fa-f",
}
_POSIX_NOT: Final = {
    "alnum": r"\x00-/:-@\[-`\{-\U0010ffff",
    "alpha": r"\x00-@\[-`\{-\U0010ffff",
    "ascii": r"\x80-\U0010ffff",
    "blank": r"\x00-\x08\x0a-\x1f!-\U0010ffff",
    "cntrl": r" -~\x80-\U0010ffff",
    "digit": _PERL["D"],
    "graph": r"\x00- \x7f-\U0010ffff",
    "lower": r"\x00-`\{-\U0010ffff",
    "print": r"\x00-\x1f\x7f-\U0010ffff",
    "punct": r"\x00- 0-9A-Za-z\x7f-\U0010ffff",
    "space": r"\x00-\x08\x0e-\x1f!-\U0010ffff",
    "upper": r"\x00-@\[-\U0010ffff",
    "word": _PERL["W"],
    "xdigit": r"\x00-/:-@G-`g-\U0010ffff",
}
# Source: Unicode's Scripts.txt, script Han.
_HAN: Final = (
    r"\u2e80-\u2e99\u2e9b-\u2ef3\u2f00-\u2fd5\u3005\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff"
    r"\uf900-\ufa6d\ufa70-\ufad9\U00020000-\U0003ffff"
)
_HAN_NOT: Final = (
    r"\x00-\u2e7f\u2e9a\u2ef4-\u2eff\u2fd6-\u3004\u3006\u3008-\u3020\u302a-\u3037\u303c-\u33ff\u4dc0-\u4dff"
    r"\ua000-\uf8ff\ufa6e\ufa6f\ufada-\U0001ffff\U00040000-\U0010ffff"
)
_CONTROL: Final = {"a": "\a", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ASSERTION: Final = {"A": r"(?:\A)", "z": r"(?:\Z)", "b": r"(?a:\b)", "B": r"(?!(?a:\b))"}
_REPEAT: Final = re.compile(r"\{([0-9]+)(,?)([0-9]*)\}")
_FLAGS: Final = re.compile(r"\(\?([imsU]*)(?:(-)([imsU]+))?([:)])")
_NAME: Final = re.compile(r"\(\?P?<([0-9A-Za-z_]+)>")


@lru_cache(maxsize=4096)
def compile_re2(pattern: str) -> re.Pattern[str]:
    """A pattern of RE2's syntax, compiled; what RE2 would refuse is a `ValueError` with a sentence."""
    translation = _Translation(pattern).text
    try:
        return re.compile(translation)
    except (re.error, RecursionError, OverflowError) as error:
        raise _refusal(pattern, f"can't be read ({error})") from error


def _refusal(pattern: str, why: str) -> ValueError:
    return ValueError(f"the regular expression {pattern.removeprefix('^(?:').removesuffix(')$')!r} {why}")


class _Translation:
    """One pass over a pattern: `text` is the same for Python."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.names: set[str] = set()
        # For each open group, the flags that were turned on or off in mid-pattern so far: each is a group more in
        # Python, closed at every alternative and opened again.
        self.groups: list[list[str]] = [[]]
        self.multiline = [False]
        # What may be repeated: "" nothing, "atom", or the repetition just read.
        self.repeatable = ""
        self.text = "".join(self._parts())

    def _parts(self) -> list[str]:
        parts = []
        while self.at < len(self.pattern):
            char = self.pattern[self.at]
            if char == "(":
                parts.append(self._open())
            elif char == ")":
                parts.append(self._close())
            elif char == "|":
                self.at += 1
                self.repeatable = ""
                flags = self.groups[-1]
                parts.append(")" * len(flags) + "|" + "".join(flags))
            elif char in "*+?" or (char == "{" and _REPEAT.match(self.pattern, self.at)):
                parts.append(self._repeat())
            else:
                parts.append(self._atom(char))
                self.repeatable = "atom"
        if len(self.groups) > 1:
            raise self._refused("has a parenthesis that is never closed")
        parts.append(")" * len(self.groups[0]))
        return parts

    def _refused(self, why: str) -> ValueError:
        return _refusal(self.pattern, why)

    def _open(self) -> str:
        self.repeatable = ""
        rest = self.pattern[self.at : self.at + 2]
        if rest != "(?":
            self.at += 1
        elif (named := _NAME.match(self.pattern, self.at)) is not None:
            if named[1] in self.names:
                raise self._refused(f"names two groups {named[1]!r}")
            self.names.add(named[1])
            self.at = named.end()
        elif (flags := _FLAGS.match(self.pattern, self.at)) is not None and flags[0] != "(?)":
            self.at = flags.end()
            return self._flags(flags[1], flags[3] or "", ends=flags[4] == ")")
        else:
            found = self.pattern[self.at : self.at + 4]
            raise self._refused(f"has {found!r}, which RE2 lacks: it has no look-around, back-references or conditions")
        self.groups.append([])
        self.multiline.append(self.multiline[-1])
        return "(?:"

    def _flags(self, on: str, off: str, *, ends: bool) -> str:
        if not ends:
            self.groups.append([])
            self.multiline.append(self.multiline[-1])
        if "m" in on or "m" in off:
            self.multiline[-1] = "m" in on and "m" not in off
        # Whether a repetition is greedy (U) makes no difference to whether there is a match.
        on = "".join(flag for flag in "ims" if flag in on and flag not in off)
        off = "".join(flag for flag in "ims" if flag in off)
        opening = f"(?{on}{'-' if off else ''}{off}:"
        if ends:
            self.groups[-1].append(opening)
        return opening

    def _close(self) -> str:
        self.at += 1
        if len(self.groups) == 1:
            raise self._refused("has a closing parenthesis too many")
        self.multiline.pop()
        self.repeatable = "atom"
        return ")" * (len(self.groups.pop()) + 1)

    def _repeat(self) -> str:
        if not self.repeatable:
            raise self._refused(f"repeats nothing with {self.pattern[self.at]!r}: put something before it")
        if self.repeatable != "atom":
            raise self._refused(f"repeats a repetition after {self.repeatable!r}: put the first into (?:…)")
        found = _REPEAT.match(self.pattern, self.at)
        operator = found[0] if found else self.pattern[self.at]
        if found:
            low = int(found[1])
            high = int(found[3]) if found[3] else low
            if max(low, high) > _MAX_REPEAT or high < low:
                raise self._refused(f"repeats {operator}: RE2 counts up to {_MAX_REPEAT}, from few to many")
        self.at += len(operator)
        if self.pattern.startswith("?", self.at):
            self.at += 1
        self.repeatable = operator
        return operator

    def _atom(self, char: str) -> str:
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        self.at += 1
        if char == "^":
            return "(?:^)"
        if char == "$":
            return "(?:$)" if self.multiline[-1] else r"(?:\Z)"
        return "." if char == "." else re.escape(char)

    def _escape(self) -> str:
        following = self.pattern[self.at + 1 : self.at + 2]
        if following in _ASSERTION and following:
            self.at += 2
            return _ASSERTION[following]
        if following == "Q":
            end = self.pattern.find("\\E", self.at)
            literal = self.pattern[self.at + 2 : end if end >= 0 else None]
            self.at = end + 2 if end >= 0 else len(self.pattern)
            # A repetition after it repeats its last character.
            return re.escape(literal)
        ranges = self._ranges(following)
        return f"[{ranges}]" if ranges else re.escape(self._char())

    def _ranges(self, following: str) -> str:
        r"""What `\d`, `\pL` and the like stand for inside a class; empty when there is something else."""
        if following in _PERL and following:
            self.at += 2
            return _PERL[following]
        if following in {"p", "P"}:
            for name, ranges in (
                (r"\p{Han}", _HAN), (r"\P{^Han}", _HAN), (r"\P{Han}", _HAN_NOT), (r"\p{^Han}", _HAN_NOT),
            ):  # fmt: skip
                if self.pattern.startswith(name, self.at):
                    self.at += len(name)
                    return ranges
            raise self._refused(r"has a Unicode class other than \p{Han}: write the ranges, as in [一-龥]")
        return ""

    def _char(self) -> str:
        """One character, escaped or not."""
        if self.at >= len(self.pattern):
            raise self._refused("has a class [ that is never closed")
        char = self.pattern[self.at]
        self.at += 1
        if char != "\\":
            return char
        found = re.compile(
            r"x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))|(0[0-7]{0,2}|[1-7][0-7]{1,2})|([afnrtv])|([\x00-/:-@\[-`{-\x7f])"
        ).match(self.pattern, self.at)
        if found is None:
            escape = self.pattern[self.at - 1 : self.at + 1]
            raise self._refused(f"has {escape!r}, which RE2 has no such escape for")
        self.at = found.end()
        if found[4]:
            return _CONTROL[found[4]]
        if found[5]:
            return found[5]
        code = int(found[3], 8) if found[3] else int(found[1] or found[2], 16)
        if code > 0x10FFFF:  # noqa: PLR2004 (the last character there is)
            raise self._refused(f"has {found[0]!r}, beyond the last character there is")
        return chr(code)

    def _class(self) -> str:
        self.at += 1
        negated = self.pattern.startswith("^", self.at)
        self.at += negated
        inside: list[str] = []
        first = True
        while first or not self.pattern.startswith("]", self.at):
            first = False
            inside.append(self._class_item())
        self.at += 1
        return f"[{'^' if negated else ''}{''.join(inside)}]"

    def _class_item(self) -> str:
        posix = re.compile(r"\[:(\^?)([^\]]*?):\]").match(self.pattern, self.at)
        if posix is not None:
            table = _POSIX_NOT if posix[1] else _POSIX
            if posix[2] not in table:
                raise self._refused(f"has {posix[0]!r}, a class there is none of")
            self.at = posix.end()
            return table[posix[2]]
        if self.pattern.startswith("\\", self.at) and (ranges := self._ranges(self.pattern[self.at + 1 : self.at + 2])):
            return ranges
        low = high = self._char()
        if self.pattern.startswith("-", self.at) and not self.pattern.startswith("-]", self.at):
            self.at += 1
            high = self._char()
        if high < low:
            raise self._refused(f"has a class with the range {low}-{high}, from high to low")
        return re.escape(low) if low == high else f"{re.escape(low)}-{re.escape(high)}"
