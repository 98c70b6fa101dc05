"""An address and a body -> one POST, to a machine that may be spoken to, and within limits."""

from __future__ import annotations

import http.client
import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

from tfhealth import __version__
from tfhealth.errors import Error
from tfhealth.wire.notices import LONGEST_URL

__all__ = ["SendingError", "checked", "send"]

_SECONDS = 10.0
_ANSWER = 1000  # bytes of an answer that are looked at
_PORTS = {"http": 80, "https": 443}


class SendingError(Error):
    """An address that is none, that may not be spoken to, or that did not take what it was told."""


def checked(url: str) -> SplitResult:
    """Return the parts of an address to which something may be sent, as far as can be known without asking for it.

    Raises:
        SendingError: it is none.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise SendingError(f"{url!r} is no address: {error}") from None
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme not in _PORTS or not parts.hostname or port == 0 or not plain or len(url) > LONGEST_URL:
        raise SendingError(f"{url[:200]!r} is no address; it begins with https:// or http://, and has no spaces")
    if parts.username is not None or parts.password is not None:
        raise SendingError("an address with a name or a password in it is not taken")
    return parts


def send(url: str, body: Mapping[str, Any], private: bool, seconds: float = _SECONDS) -> None:
    """Post JSON to an address; redirects are not followed, and proxies of the environment not asked.

    Args:
        url: where to.
        body: what is said.
        private: whether machines of the own network may be spoken to.
        seconds: for everything together, but for asking the name service.

    Raises:
        SendingError: why it was not taken.
    """
    parts = checked(url)
    port = parts.port or _PORTS[parts.scheme]
    connection = _Connection(parts, _resolved(str(parts.hostname), port, private), port, seconds)
    # A time limit of a socket is for each read; this one is for all of them.
    watch = threading.Timer(seconds, connection.cut)
    watch.start()
    try:
        status, said = connection.post(parts, json.dumps(body).encode())
    except (OSError, http.client.HTTPException, ValueError) as error:
        late = f"no answer in {seconds:g} s" if connection.was_cut else f"{type(error).__name__}: {error}"
        raise SendingError(late[:500]) from None
    finally:
        watch.cancel()
        connection.close()
    if not 200 <= status < 300:
        raise SendingError(f"answered {status}: {said}")


def _resolved(host: str, port: int, private: bool) -> str:
    """Return the address to connect to. It is looked up once: what was looked at is what is spoken to."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SendingError(f"{host} is not known ({error})") from None
    addresses = [str(one[4][0]) for one in found]
    for address in addresses:
        if private or _is_public(address):
            return address
    raise SendingError(f"{host} is a machine of a private network; allow those in the settings of the service")


def _is_public(address: str) -> bool:
    known = ipaddress.ip_address(address.partition("%")[0])
    inner = getattr(known, "ipv4_mapped", None) or getattr(known, "sixtofour", None)
    return all(one.is_global and not one.is_multicast for one in (known, inner) if one is not None)


class _Connection(http.client.HTTPConnection):
    def __init__(self, parts: SplitResult, address: str, port: int, seconds: float) -> None:
        super().__init__(str(parts.hostname), port, timeout=seconds)
        self._address, self._secure = address, parts.scheme == "https"
        self.default_port = _PORTS[parts.scheme]
        self.was_cut = False

    def connect(self) -> None:
        """Connect to the address that was looked at; the name is what a certificate must be for."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)
        if self._secure:
            context = ssl.create_default_context()
            # The handshake comes when the socket is known here, so that it can be cut.
            self.sock = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()
        if self.was_cut:
            raise TimeoutError

    def cut(self) -> None:
        """End it from another thread."""
        self.was_cut = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:  # it ended by itself meanwhile
                return

    def post(self, parts: SplitResult, body: bytes) -> tuple[int, str]:
        """Return status and the beginning of what is answered."""
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = {"Content-Type": "application/json", "User-Agent": f"tfhealth/{__version__}", "Connection": "close"}
        self.request("POST", path, body, headers)
        answer = self.getresponse()
        return answer.status, answer.read(_ANSWER).decode("utf-8", "replace")
