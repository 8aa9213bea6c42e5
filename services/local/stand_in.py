"""The user that stands in for root: PostgreSQL refuses to run as root, and in a container one often is."""

import os
import pwd
import stat
import subprocess
from pathlib import Path

from services.local.errors import LocalError

NAME = "pgserver"


def stand_in_for_root() -> str | None:
    """The user to run PostgreSQL as: made where it isn't there yet; None where this process isn't root's."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(NAME)
    except KeyError:
        make_user()
    return NAME


def make_user() -> None:
    """Make the user, without a home and without a way to log in."""
    try:
        subprocess.run(
            # Found by its name, because it stands in different places on different systems.
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", NAME],  # noqa: S607
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise LocalError(
            f"PostgreSQL can't run as root, and the user {NAME} could not be made ({error}): "
            "start the house as another user than root."
        ) from error


def give(folder: Path, user: str | None) -> None:
    """Let the stand-in own a folder; nothing to do where there is none."""
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(folder, entry.pw_uid, entry.pw_gid)


def open_the_way(path: Path, user: str | None) -> None:
    """Let the stand-in pass through the folders above `path`; to pass is not to list or to read."""
    if user is None:
        return
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)


def open_programs(installation: Path, user: str | None) -> None:
    """Let the stand-in read and run what root has installed, where root's files are closed to others."""
    if user is None or (installation / "bin" / "postgres").stat().st_mode & stat.S_IXOTH:
        return
    for path in (installation, *installation.rglob("*")):
        mode = path.stat().st_mode
        runs = stat.S_IXOTH if mode & stat.S_IXUSR else 0
        path.chmod(mode | stat.S_IROTH | runs)
