"""Find what looks like a credential, without ever repeating it: its kind and its line.

In this repository's own files all that looks like one counts. Other people's packages document and
test themselves with URIs, keys and tokens that are nobody's, so there only what looks as if its
issuer had made it counts, and no key of AWS's that ends in EXAMPLE. A password in a URI does not
count if a URI cannot hold it (`%s`, `{...}`, `<...>`) or if it is evidently a blank: `$NAME`,
stars, dots or x's.
"""

from __future__ import annotations

import re

# What counts as each kind: how it starts (literally) and goes on. Each alternative of the regular
# expression must start with a literal: the engine then skips to the next byte that can start one,
# which makes it ten times faster. That is why a look-behind comes after it.
_USERINFO = rb"(?:[A-Za-z0-9._~!$&()*+,;=-]|%[0-9A-Fa-f]{2})"
_KINDS: tuple[tuple[str, tuple[bytes, ...], bytes], ...] = (
    (
        "AWS access key id",
        (rb"AKIA", rb"ASIA"),
        rb"(?<![A-Za-z0-9]....)[A-Z0-9]{16}(?![A-Za-z0-9])",
    ),
    (
        "AWS secret access key",
        (rb"aws_secret_access_key", rb"AWS_SECRET_ACCESS_KEY", rb"SecretAccessKey"),
        rb"[\"']?\s{0,9}[:=,]\s{0,9}[\"']?[A-Za-z0-9/+]{40}(?![A-Za-z0-9/+])",
    ),
    ("private key", (rb"-----BEGIN ",), rb"[A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----"),
    (
        "GitHub token",
        (rb"ghp_", rb"gho_", rb"ghu_", rb"ghs_", rb"ghr_"),
        rb"(?<![A-Za-z0-9_]....)[A-Za-z0-9]{36}(?![A-Za-z0-9_])",
    ),
    ("GitHub token", (rb"github_pat_",), rb"[A-Za-z0-9]{22}_[A-Za-z0-9]{59}"),
    ("GitLab token", (rb"glpat-",), rb"[A-Za-z0-9_-]{20}"),
    ("Slack token", (rb"xoxa-", rb"xoxb-", rb"xoxp-", rb"xoxr-", rb"xoxs-"), rb"[A-Za-z0-9-]{10}"),
    ("Slack webhook", (rb"https://hooks\.slack\.com/services/",), rb"T[A-Z0-9]{6,20}/B[A-Z0-9]{6}"),
    (
        "Stripe key",
        (rb"sk_live_", rb"rk_live_", rb"sk_test_", rb"rk_test_"),
        rb"[A-Za-z0-9]{16}",
    ),
    ("Google API key", (rb"AIza",), rb"[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
    ("npm token", (rb"npm_",), rb"[A-Za-z0-9]{36}"),
    ("PyPI token", (rb"pypi-AgE",), rb"[A-Za-z0-9_-]{40}"),
    (
        "JSON web token",
        (rb"eyJ",),
        rb"(?<![A-Za-z0-9_-]...)[A-Za-z0-9_-]{8,1500}\.eyJ[A-Za-z0-9_-]{8,1500}\.[A-Za-z0-9_-]{16}",
    ),
    (
        "password in a URI",
        (rb"://",),
        _USERINFO + rb"{0,256}:(?P<password>(?:" + _USERINFO + rb"|:){1,256})" rb"@",
    ),
)
_ALTERNATIVES = [(kind, start + rest) for kind, starts, rest in _KINDS for start in starts]
# An empty group ends each alternative, so that `lastgroup` names the one that matched.
_ANY = re.compile(
    b"|".join(b"%s(?P<_%d>)" % (rest, i) for i, (_, rest) in enumerate(_ALTERNATIVES)), re.DOTALL
)
_LONGEST_BYTES = 4096  # of a match

# The kinds that only their issuer makes, with a form of their own.
_ISSUED = {
    *("AWS access key id", "GitHub token", "GitLab token", "Slack token", "Slack webhook"),
    *("Stripe key", "npm token", "PyPI token"),
}
# How AWS's and Stripe's documentation marks the keys in it.
_EXAMPLE = re.compile(rb".*EXAMPLE|.._test_.*")
_BLANK = re.compile(rb"\$.*|[*.xX]+", re.DOTALL)


class CredentialScanner:
    """Looks through one file, fed to it in pieces of any size, in memory of a few of them."""

    def __init__(self, *, third_party: bool) -> None:
        self._third_party = third_party
        self._window = b""
        self._from = 0  # where in the window the part begins that has not been looked at
        self._lines_before = 0
        self._found: dict[str, int] = {}

    def feed(self, piece: bytes) -> None:
        """Scan the next piece of the file."""
        self._window += piece
        self._look(max(self._from, len(self._window) - _LONGEST_BYTES))

    def finish(self) -> dict[str, int]:
        """Return each kind of credential that the file holds, and the line where it first does."""
        self._look(len(self._window))
        return self._found

    def _look(self, until: int) -> None:
        """Scan what starts before `until`, and keep one byte before it for look-behinds."""
        for match in _ANY.finditer(self._window, self._from):
            if match.start() >= until:
                break
            kind = _ALTERNATIVES[int((match.lastgroup or "")[1:])][0]
            if kind not in self._found and self._counts(kind, match):
                lines = self._window.count(b"\n", 0, match.start())
                self._found[kind] = self._lines_before + lines + 1
        kept = max(until - 1, 0)
        self._lines_before += self._window.count(b"\n", 0, kept)
        self._window = self._window[kept:]
        self._from = until - kept

    def _counts(self, kind: str, match: re.Match[bytes]) -> bool:
        if self._third_party:
            return kind in _ISSUED and not _EXAMPLE.fullmatch(match[0])
        return match["password"] is None or not _BLANK.fullmatch(match["password"])
