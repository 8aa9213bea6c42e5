"""The one command `whistle`: joins the rooms' own command groups, importing a room only when it is called."""

from __future__ import annotations

from importlib import import_module

import typer
from typer.core import TyperGroup
from typer.main import get_group

COMMANDS = {
    "publish": ("services.publisher.cli", "app"),
    "community": ("services.publisher.cli_community", "app"),
    "answer": ("services.receipts.cli", "app"),
    "street": ("services.street.cli", "app"),
    "department": ("services.department.cli", "app"),
    "supervision": ("services.supervision.cli", "app"),
    "ledger": ("services.ledger.cli", "app"),
    "lag": ("services.monitor.cli", "app"),
    "route": ("services.router.cli", "route_app"),
    "config": ("services.router.cli", "config_app"),
    "topics": ("services.router.cli_topics", "topics_app"),
    "migrate": ("services.migrate_cli", "app"),
}


class _Rooms(TyperGroup):
    """Finds a command in its room."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - the base class asks with it
        """Return the names, in the order of the story."""
        return list(COMMANDS)

    def get_command(self, ctx: object, cmd_name: str) -> object:  # type: ignore[override]  # noqa: ARG002 - as above
        """Import the room that has the command; None for a name that no room has."""
        if cmd_name not in COMMANDS:
            return None
        module, name = COMMANDS[cmd_name]
        # Always as a group: typer would make a group of one command that very command.
        command = get_group(getattr(import_module(module), name))
        command.name = cmd_name
        return command


app = typer.Typer(cls=_Rooms, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def whistle() -> None:
    """Whistle (吹哨): the community discovers, the street calls, the departments respond, everyone gets an answer."""


def main() -> None:
    """Run the command line."""
    app()
