"""`tfhealth serve`: a folder of runs, or a database that runs are sent to -> pages and a REST API."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tfhealth.cli.exits import Exit
from tfhealth.errors import UsageError
from tfhealth.wire.scopes import PERSON_SCOPES, SCOPES

if TYPE_CHECKING:
    from tfhealth.service.running import Running

__all__ = ["DATABASE", "add"]

DATABASE = "TFHEALTH_DATABASE"
"""Environment variable that names the database; a password in it stays out of the list of processes."""

_FILE = "sqlite:///tfhealth.db"


def add(parser: argparse.ArgumentParser) -> None:
    """Give the command's parser its options."""
    parser.description = (
        "Show the runs in DIR, with no set-up at all; or, without DIR, keep the runs that are sent. Returns when it is "
        "stopped."
    )
    parser.add_argument("folder", nargs="?", type=Path, metavar="DIR", help="a folder with runs in it")
    parser.add_argument(
        "--database",
        metavar="URL",
        help="where everything is kept: sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME (default: "
        f"{DATABASE} of the environment; else, with DIR, a temporary one, and without it {_FILE})",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at (default: this machine only)")
    parser.add_argument("--port", type=int, default=8765, help="port to listen at; 0: any that is free (default: 8765)")
    parser.add_argument(
        "--allow-host", action="append", default=[], metavar="NAME", help="a name that it is reached by"
    )
    parser.add_argument(
        "--servers", type=_count, default=1, metavar="N", help="processes that answer (PostgreSQL only)"
    )
    parser.add_argument(
        "--workers", type=_count, default=2, metavar="N", help="processes of each that judge and write reports"
    )
    parser.add_argument(
        "--serve-only", action="store_true", help="judge nothing: another process on the same database does"
    )
    parser.add_argument("--log", choices=("text", "json"), default="text", help="how its log looks (default: text)")
    parser.add_argument("--address", default="", metavar="URL", help="where people reach it, for links in webhooks")
    parser.add_argument(
        "--private-webhooks", action="store_true", help="let webhooks lead to machines of the own network too"
    )
    _add_access(parser)
    parser.set_defaults(act=_act)


def _add_access(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tokens", action="store_true", help="let in only whoever shows a token")
    parser.add_argument(
        "--user-header", default="", metavar="NAME", help="a header in which a proxy says who somebody is"
    )
    parser.add_argument(
        "--proxy", action="append", default=[], metavar="ADDRESS", help="a proxy, or network of them, that is believed"
    )
    parser.add_argument(
        "--user-scope", choices=PERSON_SCOPES, default="read", help="what those people may do (default: read)"
    )
    parser.add_argument("--admin", action="append", default=[], metavar="USER", help="one of them who may do all")
    parser.add_argument("--new-token", metavar="NAME", help="make a token of this name, print it, and end")
    parser.add_argument("--scope", choices=tuple(SCOPES), default="ingest", help="what it lets do (default: ingest)")
    parser.add_argument("--project", metavar="NAME", help="the one project that it is for (default: every project)")
    parser.add_argument("--days", type=_count, metavar="N", help="until it expires (default: never)")


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, and not {text!r}")
    return int(text)


def _act(arguments: argparse.Namespace) -> int:
    try:
        from tfhealth.service import running
        from tfhealth.store import issuing
    except ModuleNotFoundError as error:
        raise UsageError(f"serve needs {error.name}: pip install 'tfhealth[service]'") from None
    url = arguments.database or os.environ.get(DATABASE)
    if arguments.new_token is not None:
        token = issuing.new_token(url or _FILE, arguments.new_token, arguments.scope, arguments.project, arguments.days)
        print(token)
        return Exit.PASSED
    if arguments.folder is None:
        url = url or _FILE
    elif not arguments.folder.is_dir():
        raise UsageError(f"{arguments.folder}: no such folder.")
    elif url is None and arguments.serve_only:
        raise UsageError("--serve-only: nobody else judges in a temporary database; name one with --database URL.")
    with running.database_in(url) as database:
        how = _running(arguments, database)
        running.check(how)
        _first_token(how)
        running.run(how)
    return Exit.PASSED


def _running(arguments: argparse.Namespace, database: str) -> Running:
    from pydantic import ValidationError

    from tfhealth.service.running import Running
    from tfhealth.service.settings import Settings

    try:
        settings = Settings(
            database=database,
            folder=arguments.folder,
            tokens=arguments.tokens,
            user_header=arguments.user_header,
            user_scope=arguments.user_scope,
            admins=tuple(arguments.admin),
            proxies=tuple(arguments.proxy),
            hosts=tuple(name.lower() for name in arguments.allow_host),
            workers=arguments.workers,
            works=not arguments.serve_only,
            address=arguments.address.rstrip("/"),
            private_webhooks=arguments.private_webhooks,
        )
    except ValidationError as error:
        (fault, *_) = error.errors()
        raise UsageError(f"{fault['loc'][0]}: {fault['input']!r}: {fault['msg']}") from None
    return Running(settings, arguments.host, arguments.port, arguments.servers, arguments.log, _tell)


def _tell(address: str) -> None:
    print(f"tfhealth: {address}  (Ctrl-C ends it)", flush=True)


def _first_token(running: Running) -> None:
    """Let somebody in: print a first token where a person looks, and never where a log is kept."""
    from tfhealth.store import issuing

    url = running.settings.database
    if not running.settings.tokens or issuing.has_admin(url):
        return
    if sys.stdout.isatty():
        print("tfhealth: the first token, which may do all. It is shown this once; log in with it:")
        print(issuing.new_token(url, "first", "admin"), flush=True)
    else:
        told = (
            "tfhealth: nobody can log in yet: tfhealth serve --new-token NAME --scope admin makes and prints a token."
        )
        print(told, file=sys.stderr)
