"""The broker's options, declared once: flags, `GOTASK_*` variables and `--help` are derived from this table."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

from . import options
from .broker.access import Access, allowed_uids, check
from .broker.environment import available_processors, working_directory
from .wire.address import DEFAULT, Address, TcpAddress, parse_address
from .wire.frames import MAX_PAYLOAD
from .wire.handshake import find_key
from .wire.tls import Tls

MIB = 1024 * 1024


class Config(NamedTuple):
    """What the broker runs by. Seconds are floats, sizes are bytes."""

    app: str
    folder: str  # the working directory, with symbolic links unresolved
    addresses: tuple[Address, ...]
    workers: int
    async_workers: int
    concurrency: int
    max_payload: int
    queue_calls: int
    queue_bytes: int
    start_timeout: float
    shutdown_timeout: float
    interrupt_grace: float
    min_workers: int | None  # None: all are always there
    idle_time: float
    max_calls: int
    max_age: float
    max_memory: int
    max_memory_hard: int
    slow_log: float
    socket_mode: int
    socket_group: int | None
    secret: tuple[str, ...]
    access: Access
    log_level: str
    web: TcpAddress | None
    watch: bool
    managed: bool

    @property
    def watches_memory(self) -> bool:
        return bool(self.max_memory or self.max_memory_hard)


class _Option(NamedTuple):
    flag: str
    parse: Callable[[str], Any]
    default: str
    metavar: str
    help: str


def _whole(low: int, high: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{number} is not within {low} … {high}")
        return number

    return parse


def _seconds(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds") from None
    if not 0 < number <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not within 0 … 86400 seconds")
    return number


def _seconds_or_never(text: str) -> float:
    return 0.0 if text in ("0", "0.0") else _seconds(text)


def _switch(text: str) -> bool:
    if text.lower() not in ("", "0", "1", "true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither 1 nor 0")
    return text.lower() in ("1", "true")


def _address_option(text: str) -> Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _addresses_option(text: str) -> list[Address]:
    """Several with commas between; a path may have commas, too."""
    several = re.split(r"[\s,]*,\s*(?=unix://|tcp://|tls://)", text.strip(" ,"))
    return [_address_option(each) for each in several]


def _web_address(text: str) -> Address:
    address = _address_option(text)
    if not isinstance(address, TcpAddress):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no address for a browser: write tcp://127.0.0.1:9180, or tls://host:port"
        )
    return address


def _mode(text: str) -> int:
    try:
        mode = int(text, 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777:
        raise argparse.ArgumentTypeError(f"{text!r} is not an octal file mode such as 0600")
    return mode


def _group(text: str) -> int:
    import grp

    try:
        return int(text) if text.isdigit() else grp.getgrnam(text).gr_gid
    except KeyError:
        raise argparse.ArgumentTypeError(f"there is no group {text!r}") from None


def _uids(text: str) -> frozenset[int]:
    try:
        return frozenset(_whole(0, 2**32 - 2)(part.strip()) for part in text.split(","))
    except argparse.ArgumentTypeError as error:
        raise argparse.ArgumentTypeError(f"{error}: user ids with commas between are wanted") from None


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _level(text: str) -> str:
    if text not in ("debug", "info", "warning", "error"):
        raise argparse.ArgumentTypeError(f"{text!r} is none of debug, info, warning, error")
    return text


_OPTIONS = (
    _Option(
        "workers",
        _whole(1, 1024),
        "",
        "N",
        "processes that run sync methods, one call at a time (default: the processors that it may use)",
    ),
    _Option(
        "async-workers",
        _whole(1, 1024),
        "1",
        "N",
        "processes that run async methods, each in an event loop; there are none unless the app has such methods",
    ),
    _Option("concurrency", _whole(1, 500), "100", "N", "calls that one async worker runs at a time"),
    _Option(
        "max-payload", _whole(1024, 2**32 - 1), str(MAX_PAYLOAD), "BYTES", "the largest call or result"
    ),
    _Option("queue-calls", _whole(1, 10_000_000), "10000", "N", "calls that may wait for a worker"),
    _Option("queue-bytes", _whole(1024, 2**40), str(256 * MIB), "BYTES", "and their bytes altogether"),
    _Option(
        "start-timeout", _seconds, "60", "SECONDS", "how long a worker may take to import the app and open it"
    ),
    _Option("shutdown-timeout", _seconds, "30", "SECONDS", "how long running calls may take when it ends"),
    _Option(
        "interrupt-grace",
        _seconds,
        "0.1",
        "SECONDS",
        "how long a method may go on after it was interrupted, before its worker is killed",
    ),
    _Option(
        "min-workers",
        _whole(1, 1024),
        "",
        "N",
        "workers of a kind that are there even when there is nothing to do; further ones come as calls wait (default: all)",
    ),
    _Option("idle-time", _seconds, "60", "SECONDS", "after which workers beyond --min-workers leave"),
    _Option(
        "max-calls",
        _whole(0, 2**40),
        "0",
        "N",
        "calls after which a worker is replaced, less up to a tenth; 0: never",
    ),
    _Option(
        "max-age",
        _seconds_or_never,
        "0",
        "SECONDS",
        "after which a worker is replaced, less up to a tenth; 0: never",
    ),
    _Option(
        "max-memory",
        _whole(0, 2**50),
        "0",
        "BYTES",
        "of a worker and the processes below it, after which it is replaced between two calls; 0: none; needs psutil",
    ),
    _Option(
        "max-memory-hard",
        _whole(0, 2**50),
        "0",
        "BYTES",
        "the same, after which it is killed at once; 0: none",
    ),
    _Option(
        "slow-log",
        _seconds_or_never,
        "0",
        "SECONDS",
        "a call that runs for longer is logged once, with the line that it is at; 0: none is",
    ),
    _Option("socket-mode", _mode, "0600", "MODE", "rights of a Unix socket"),
    _Option("socket-group", _group, "", "GROUP", "the group of a Unix socket, a name or a number"),
    _Option(
        "allow-uids",
        _uids,
        "",
        "UID[,UID]",
        "users that may call at a Unix socket, beside this one and root (default: nobody, or all whom --socket-mode or"
        " --socket-group lets in)",
    ),
    _Option(
        "key-file",
        str,
        "",
        "PATH",
        "the shared key that callers at network addresses must have; else that in the variable GOTASK_KEY",
    ),
    _Option("tls-certificate", str, "", "PATH", "PEM file of the certificate for tls:// addresses"),
    _Option("tls-key", str, "", "PATH", "its private key (default: in the same file)"),
    _Option("tls-ca", str, "", "PATH", "asks callers for certificates, signed by those in this PEM file"),
    _Option(
        "secret",
        _names,
        "",
        "NAME[,NAME]",
        "variables of the environment that workers do not get; never GOTASK_KEY",
    ),
    _Option(
        "web",
        _web_address,
        "",
        "ADDRESS",
        "serves a page that shows what goes on (/), and the same for Prometheus (/metrics), for instance at"
        " tcp://127.0.0.1:9180; beyond this machine with the shared key as password (default: none)",
    ),
    _Option("log-level", _level, "info", "LEVEL", "debug, info, warning or error"),
)


def parse_arguments(arguments: Sequence[str], environment: dict[str, str], version: str) -> Config:
    """Flags first, then `GOTASK_*`, then defaults. Ends the process with code 2 and a message on bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m gotask",
        # A supervisor shows the message to people who have not written this command line.
        usage=argparse.SUPPRESS if "--managed" in arguments else None,
        description="Run the services of APP for callers that connect to ADDRESS.",
        epilog="Each option can be given as a variable: --max-payload as GOTASK_MAX_PAYLOAD; several addresses in"
        " GOTASK_ADDRESS with commas between. SIGTERM and SIGINT end it after the running calls.",
    )
    parser.add_argument("app", metavar="APP", help="a Python file or module that registers services")
    parser.add_argument(
        "--address",
        metavar="ADDRESS",
        action="extend",
        type=_addresses_option,
        help="unix:///path, tcp://host:port or tls://host:port; several with commas between, or given several times"
        f" (default: {DEFAULT})",
    )
    for option in _OPTIONS:
        shown = f" (default: {option.default})" if option.default else ""
        parser.add_argument(
            f"--{option.flag}", type=option.parse, metavar=option.metavar, help=option.help + shown
        )
    parser.add_argument(
        "--watch",
        action="store_const",
        const=True,
        help="for development: load the app again when a Python file below its folder changes",
    )
    parser.add_argument(
        "--managed",
        action="store_true",
        help="run under a supervisor: ends when standard input does, JSON lines on standard output",
    )
    parser.add_argument("--version", action="version", version=f"gotask {version}")
    given = parser.parse_args(arguments)

    def value(option: _Option) -> Any:
        flag = getattr(given, option.flag.replace("-", "_"))
        if flag is not None:
            return flag
        name = "GOTASK_" + option.flag.upper().replace("-", "_")
        text = environment.get(name, "").strip() or option.default
        if not text:
            return None
        try:
            return option.parse(text)
        except argparse.ArgumentTypeError as error:
            parser.error(f"{name}: {error}")

    addresses = given.address
    if addresses is None:
        try:
            addresses = _addresses_option(environment.get("GOTASK_ADDRESS", "").strip(" ,") or DEFAULT)
        except argparse.ArgumentTypeError as error:
            parser.error(f"GOTASK_ADDRESS: {error}")
    if len(set(addresses)) != len(addresses):
        parser.error("an address is given twice")
    values = {option.flag.replace("-", "_"): value(option) for option in _OPTIONS}
    if values["workers"] is None:
        values["workers"] = available_processors()
    if values["min_workers"] is not None and values["min_workers"] > values["workers"]:
        names = options.option("--min-workers"), options.option("--workers")
        parser.error(f"{names[0]} is {values['min_workers']}, more than {names[1]}: {values['workers']}")
    try:
        watch = given.watch or _switch(environment.get("GOTASK_WATCH", "").strip())
    except argparse.ArgumentTypeError as error:
        parser.error(f"GOTASK_WATCH: {error}")
    values["secret"] = values["secret"] or ()
    try:
        access = _read_access(addresses, values, environment)
        check(addresses, access, values["web"])
    except ValueError as error:
        parser.error(str(error))
    config = Config(
        app=given.app,
        folder=working_directory(environment),
        addresses=tuple(addresses),
        managed=given.managed,
        watch=watch,
        access=access,
        **values,
    )
    if config.watches_memory and find_spec("psutil") is None:
        parser.error(f"limits of memory need psutil: {sys.executable} -m pip install psutil")
    return config


def _read_access(addresses: Sequence[Address], values: dict[str, Any], environment: dict[str, str]) -> Access:
    """Takes the options of access out of `values`. ValueError: a file is missing, or can't be used."""
    network = [address for address in (*addresses, values["web"]) if isinstance(address, TcpAddress)]
    key_file = values.pop("key_file")
    key = find_key(key_file, environment) if network else None
    uids = allowed_uids(values.pop("allow_uids"), values["socket_mode"], values["socket_group"])
    certificate, private, ca = (values.pop(f"tls_{name}") for name in ("certificate", "key", "ca"))
    if certificate is None or not any(address.tls for address in network):
        return Access(key, uids=uids)  # GOTASK_TLS_* may be set for callers on this machine
    files = Tls(ca, certificate, private)
    return Access(key, files.server_context(), ca is not None, uids, files)
