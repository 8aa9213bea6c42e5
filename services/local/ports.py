"""Ports on this machine that a server could take."""

import random
import socket
from collections.abc import Mapping, Sequence

from services.local.errors import LocalError

HOST = "127.0.0.1"
# Below the ports that systems give to clients: a client that keeps connecting to a port of that range while the broker
# is away may be given the very same port, connect to itself, and keep the broker from coming back.
PORTS = range(20_000, 30_000)


def is_free(port: int) -> bool:
    """Whether a server could listen on this port now."""
    with socket.socket() as probe:
        # Servers ask for this too; without it, a port that clients have just left looks taken for a minute.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def free_port(wanted: int | None, *, taken: Sequence[int] = ()) -> int:
    """The wanted port, if it is free; else any free one that is not in `taken`."""
    candidates: list[int] = random.SystemRandom().sample(PORTS, k=200)
    if wanted is not None:
        candidates.insert(0, wanted)
    for port in candidates:
        if port not in taken and is_free(port):
            return port
    raise LocalError(f"No free port was found from {PORTS[0]} to {PORTS[-1]}: end what uses them, then start again.")


def busy(port: int) -> LocalError:
    """The sentence for a port that is taken."""
    return LocalError(f"Port {port} is in use by another program: stop that program, or ask for another port.")


def settle_ports(defaults: Mapping[str, int], environment: Mapping[str, str]) -> dict[str, int]:
    """Choose a port for each variable: the one the environment asks for, or its default, or any other that is free.

    Raises:
        LocalError: a port that was asked for is in use.

    """
    chosen: dict[str, int] = {}
    for name, default in defaults.items():
        asked = environment.get(name)
        if asked is None:
            chosen[name] = free_port(default, taken=list(chosen.values()))
        elif asked.isdigit() and is_free(int(asked)):
            chosen[name] = int(asked)
        else:
            raise LocalError(
                f"{name} asks for port {asked}, which is no free port: end what uses it, or ask for another."
            )
    return chosen
