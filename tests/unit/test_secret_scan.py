"""What counts as a credential, what does not, and that it is found wherever it lies."""

from __future__ import annotations

import pytest

from pipeline.secret_scan import CredentialScanner

# Written in two parts each, so that nothing that looks for credentials stumbles over this file.
CREDENTIALS = {
    "AWS access key id": b"AKIA" + b"ABCDEFGH23456789",
    "AWS secret access key": b"aws_secret_access_key = '" + b"aB3/" * 10 + b"'",
    "private key": b"-----BEGIN RSA " + b"PRIVATE KEY-----\nMIIEpAIBAAKCAQEAvHn0aB3dE5fG\n",
    "GitHub token": b"ghp_" + b"aB3d" * 9,
    "GitLab token": b"glpat-" + b"aB3d" * 5,
    "Slack token": b"xoxb-" + b"123456789012-aBcDeF",
    "Slack webhook": b"https://hooks.slack.com/" + b"services/T00000000/B00000000/aBcDeF",
    "Stripe key": b"sk_live_" + b"aB3d" * 6,
    "Google API key": b"AIza" + b"aB3d_" * 7,
    "npm token": b"npm_" + b"aB3d" * 9,
    "PyPI token": b"pypi-AgE" + b"aB3d" * 20,
    "JSON web token": b"eyJhbGciOiJIUzI1NiJ9" + b".eyJzdWIiOiIxMjM0In0." + b"aB3d" * 10,
    "password in a URI": b"mongodb+srv://app:" + b"hunter2@db.example.io/test",
}


# What other people's packages hold of these is nobody's, or was made to be read.
NOT_THIRD_PARTY = {
    *("AWS secret access key", "private key", "Google API key", "JSON web token"),
    "password in a URI",
}


@pytest.mark.parametrize("kind", CREDENTIALS)
def test_each_kind_is_found_with_its_line(kind: str) -> None:
    """A credential is found, and named by kind and line; in a package only what is issued."""
    text = b"first = 1\nsecond = '" + CREDENTIALS[kind] + b"'\nthird = 3\n"
    assert _scan(text, third_party=False) == {kind: 2}
    assert _scan(text, third_party=True) == ({} if kind in NOT_THIRD_PARTY else {kind: 2})


@pytest.mark.parametrize(
    "text",
    [
        b"mongodb://%s:%s@%s/",
        b"f'mongodb://{user}:{password}@{host}'",
        b"mongodb://<user>:<password>@<host>",
        b"mongodb://user:$PASSWORD@host",
        b"mongodb://user:****@host",
        b"mongodb://localhost:27017/?authSource=admin",
        b"see http://host:80, or mail me@example.org",
        b"AKIA is how they start",
        b"xAKIA" + b"ABCDEFGH23456789",
        b"hmac.new(key, b'eyJ', 'sha256')",
        b"mirror = 'skip_live_" + b"abcdefghijklmnopqrst'",
        b"highs_setCallback" + b"P5HighsSt8functionIFviRKNSt7__cxx11",
    ],
)
def test_blanks_and_look_alikes_are_no_credentials(text: bytes) -> None:
    """A place to put a password is none, even in our own package."""
    assert _scan(text, third_party=False) == {}


@pytest.mark.parametrize(
    "text",
    [
        b"AKIA" + b"IOSFODNN7EXAMPLE",
        b"sk_test_" + b"4eC39HqLyjWDarjtT1zdP7dc",
        b"postgresql://scott:" + b"tiger@192.168.0.199/test",
    ],
)
def test_examples_count_in_our_own_files_only(text: bytes) -> None:
    """Other people's documentation may show how it is done; ours has no need to."""
    assert _scan(text, third_party=True) == {}
    assert len(_scan(text, third_party=False)) == 1


# In pieces of a byte it takes long, and how a file is cut does not depend on the kind.
@pytest.mark.parametrize(
    ("kind", "size_bytes"),
    [
        *((kind, size_bytes) for kind in CREDENTIALS for size_bytes in (7, 64, 5000)),
        ("private key", 1),
        ("password in a URI", 1),
    ],
)
def test_a_credential_is_found_across_the_pieces_of_a_file(kind: str, size_bytes: int) -> None:
    """Where one piece of a file ends and the next begins makes no difference."""
    text = b"x = 1\n" * 1000 + CREDENTIALS[kind] + b"\n" + b"y = 2\n" * 1000
    scanner = CredentialScanner(third_party=False)
    for at in range(0, len(text), size_bytes):
        scanner.feed(text[at : at + size_bytes])
    assert scanner.finish() == {kind: 1001}


def test_all_kinds_in_one_file_are_found() -> None:
    """One credential does not hide another."""
    text = b"\n".join(b"'" + credential.strip() + b"'" for credential in CREDENTIALS.values())
    assert _scan(text, third_party=False).keys() == CREDENTIALS.keys()


def _scan(text: bytes, *, third_party: bool) -> dict[str, int]:
    scanner = CredentialScanner(third_party=third_party)
    scanner.feed(text)
    return scanner.finish()
