"""What leads out of a process: connections to other hosts, and other programs.

Each function reads the arguments of an audit event of Python (docs.python.org/3/library/audit_events.html)
and returns what was tried, or None where it is allowed.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rehearse.scenario.sandbox import Sandbox

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PROBES = frozenset({"lscpu", "uname", "ldconfig", "getconf", "file", "gcc", "cc", "ld", "objdump"})
"""Programs by which Python and its libraries learn about the machine; they reach nobody."""
ONLY_HERE = "A rehearsal reaches only this machine:"


@dataclass(frozen=True, slots=True)
class Tried:
    """Something that the walls do not allow."""

    what: str
    """`tried to …`"""
    remedy: str


class Hosts:
    """The hosts that may be called."""

    def __init__(self, allowed: Sequence[str]) -> None:
        self._ports: dict[str, set[int | None]] = {}
        for entry in allowed:
            name, port = _parted(entry)
            self._ports.setdefault(name, set()).add(port)
        self._addresses: dict[str, frozenset[str]] = {}

    def may_look_up(self, host: object) -> bool:
        """Tell whether a name may be turned into an address; a number asks nobody."""
        name = _text(host)
        return _is_here(name) or name in self._ports or _number(name) is not None

    def may_reach(self, host: object, port: object = None) -> bool:
        """Tell whether a connection to a name or an address may be made."""
        name = _text(host)
        number = _number(name)
        if _is_here(name) or (number is not None and (number.is_loopback or number.is_unspecified)):
            return True
        candidates = [one for one, ports in self._ports.items() if None in ports or port in ports]
        if name in candidates:
            return True
        return number is not None and any(self._is(one, number) for one in candidates)

    def _is(self, host: str, number: Address) -> bool:
        """Tell whether an address is a host's; asked anew where it was not known so far."""
        told = _number(host)
        if told is not None:
            return told == number
        if str(number) not in self._addresses.get(host, ()):
            self._addresses[host] = _addresses_of(host)
        return str(number) in self._addresses[host]


def connects(hosts: Hosts, _: Sandbox, args: tuple[Any, ...]) -> Tried | None:
    """Judge `socket.connect`, `sendto` and `sendmsg`; sockets of files and of the kernel stay here."""
    address = args[1] if len(args) > 1 else None
    if not isinstance(address, tuple) or len(address) < 2 or not isinstance(address[0], str | bytes):
        return None
    return None if hosts.may_reach(*address[:2]) else _call(f"{_text(address[0])}:{address[1]}")


def looks_up(hosts: Hosts, _: Sandbox, args: tuple[Any, ...]) -> Tried | None:
    """Judge `socket.getaddrinfo` and `gethostbyname`."""
    return None if hosts.may_look_up(args[0]) else _call(_text(args[0]))


def looks_back(hosts: Hosts, _: Sandbox, args: tuple[Any, ...]) -> Tried | None:
    """Judge `socket.gethostbyaddr` and `getnameinfo`, which ask for the name of an address."""
    host = args[0][0] if isinstance(args[0], tuple) else args[0]
    return None if hosts.may_reach(host) else _call(_text(host))


def begins(_: Hosts, spec: Sandbox, args: tuple[Any, ...]) -> Tried | None:
    """Judge events that begin another program: its name stands first, or the command line."""
    if spec.processes:
        return None
    name = _program(args[0] or args[1]) if args else "a copy of itself"
    if name in PROBES:
        return None
    return Tried(f"tried to begin a process ({name})", "Where it must, say sandbox.processes: true.")


Check = Callable[[Hosts, Sandbox, tuple[Any, ...]], Tried | None]
CHECKS: dict[str, Check] = {
    **dict.fromkeys(("socket.connect", "socket.sendto", "socket.sendmsg"), connects),
    **dict.fromkeys(("socket.getaddrinfo", "socket.gethostbyname"), looks_up),
    **dict.fromkeys(("socket.gethostbyaddr", "socket.getnameinfo"), looks_back),
    **dict.fromkeys(("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system"), begins),
    **dict.fromkeys(("os.fork", "os.forkpty"), begins),
}


def _call(where: str) -> Tried:
    return Tried(
        f"tried to call {where}", f"{ONLY_HERE} add {where!r} to sandbox.allow where it must be called."
    )


def _program(command: object) -> str:
    first = command[0] if isinstance(command, list | tuple) and command else command
    words = _text(first).split()
    return os.path.basename(words[0]) if words else "unknown"  # noqa: PTH119 - of any system's path


def _parted(entry: str) -> tuple[str, int | None]:
    host, colon, port = entry.rpartition(":")
    if not colon or entry.endswith("]"):
        host, port = entry, ""
    return _text(host.strip("[]")), int(port) if port else None


def _text(host: object) -> str:
    plain = host.decode(errors="replace") if isinstance(host, bytes | bytearray) else host
    return "" if plain is None else str(plain).lower().rstrip(".")


def _is_here(name: str) -> bool:
    return name in {"", "localhost", socket.gethostname().lower()} or name.endswith(".localhost")


def _number(name: str) -> Address | None:
    try:
        found = ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _addresses_of(host: str) -> frozenset[str]:
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return frozenset()
    return frozenset(str(_number(str(each[4][0]))) for each in found)
