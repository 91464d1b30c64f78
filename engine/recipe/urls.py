"""Tables on a server: which URLs there are, what of one may be shown, and which lie below another."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, unquote, urlsplit

REMOTE = ("postgresql", "s3")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):/")
_PASSWORD = re.compile(
    r"(?:^|[&?])(?:password|sslpassword|passfile|secret[a-z_]*|[a-z_]*key[a-z_]*)=", re.IGNORECASE
)
_SIGNED = re.compile(r"\?[A-Za-z0-9_-]+=")


def scheme_of(path: str) -> str:
    """Return what stands before `:/` in lower case, or nothing where that is a path of this machine.

    Examples
    --------
    >>> scheme_of("s3://bucket/loans.parquet"), scheme_of("data/loans.csv")
    ('s3', '')
    """
    found = _SCHEME.match(path)
    return found[1].lower() if found else ""


def is_remote(path: str) -> bool:
    """Tell whether a path is a URL that the engine reads."""
    return scheme_of(path) in REMOTE and "://" in path


def password_in(url: str) -> str:
    """Return the password that stands in a URL, or the part of it that may hold one; nothing where none does.

    Examples
    --------
    >>> password_in("postgresql://me:pa%24s@host/db"), password_in("s3://bucket/key")
    ('pa%24s', '')
    """
    parts = _split(url)
    _, at, host = parts.netloc.rpartition("@")
    user, colon, password = parts.netloc[: len(parts.netloc) - len(host) - len(at)].partition(":")
    del user
    if at and colon:
        return password or ":"
    return parts.query if parts.scheme == "s3" or _PASSWORD.search(parts.query) else ""


def without_password(url: str) -> str:
    """Return a URL as it may be shown: neither password nor query.

    Examples
    --------
    >>> without_password("postgresql://me:secret@host/db?sslpassword=x")
    'postgresql://me@host/db'
    """
    query = _split(url).query
    shown = url.removesuffix(f"?{query}") if query else url
    head, slashes, rest = shown.partition("://")
    place, slash, path = rest.partition("/")
    who, at, host = place.rpartition("@")
    return f"{head}{slashes}{who.partition(':')[0]}{at}{host}{slash}{path}"


def is_below(url: str, root: str) -> bool:
    """Tell whether a URL lies in the place that another names, or is it.

    A query may lead elsewhere (libpq takes a host from it), so a URL that has one is below none but itself.

    Examples
    --------
    >>> is_below("s3://data/loans/2026/a.parquet", "s3://data/loans"), is_below("s3://data/loans2", "s3://data/loans")
    (True, False)
    >>> is_below("postgresql://host/db?host=elsewhere", "postgresql://host/db")
    False
    """
    if url == root:
        return True
    one, other = _split(url), _split(root)
    if one.query or one.fragment or other.query or other.fragment:
        return False
    same = (one.scheme, _host(one)) == (other.scheme, _host(other)) and bool(_host(one))
    parts, above = (unquote(given.path).strip("/").split("/") for given in (one, other))
    if ".." in parts or "." in parts:
        return False
    return same and (above == [""] or parts[: len(above)] == above)


def _host(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2].lower()


def _split(url: str) -> SplitResult:
    # A key of a store may hold what parts a URL elsewhere.
    if scheme_of(url) == "s3":
        bucket, _, key = url.partition("://")[2].partition("/")
        # A signed URL has a query, and a pattern has a `?` that no `=` follows.
        key, _, query = key.partition("?") if _SIGNED.search(key) else (key, "", "")
        return SplitResult("s3", bucket, f"/{key}", query, "")
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult(scheme_of(url), "", url, "", "")
