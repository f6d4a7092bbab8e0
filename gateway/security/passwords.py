"""How passwords are made, judged and checked: against an argon2id hash, from which no password can be read."""

from __future__ import annotations

import secrets
import string

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

SHORTEST = 12
SHORTEST_FOR_DIGEST = 16
"""Digests are checked without a limit of attempts (see authentication.py), so such a password must not be guessable."""
LONGEST = 128

# Letters and digits that nobody confuses and that need no escaping in XML, a URL or a shell; 24 of them are 139 bits.
_ALPHABET = "".join(sorted(set(string.ascii_letters + string.digits) - set("0O1lI")))
_GENERATED_LENGTH = 24

# OWASP's smallest recommended figures: 19 MiB and about 20 ms. Default figures (64 MiB) would let the
# callers of a starting gateway take gigabytes.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def generate_password() -> str:
    """A new random password that can be typed from paper."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GENERATED_LENGTH))


def password_is_acceptable(password: str, *, for_digest: bool) -> bool:
    """Long enough, and without characters that get lost on the way: control characters, white space at the ends."""
    shortest = SHORTEST_FOR_DIGEST if for_digest else SHORTEST
    return shortest <= len(password) <= LONGEST and password.isprintable() and password == password.strip()


def hash_password(password: str) -> str:
    """What may be stored of it."""
    return _HASHER.hash(password)


def password_matches(password_hash: str, password: str) -> bool:
    """Whether it is the password the hash was made of; takes about 20 ms by design."""
    try:
        return _HASHER.verify(password_hash, password)
    except (VerifyMismatchError, InvalidHashError):
        return False
