"""`python -m services.router`: the room's process."""

from services.configured import run_room
from services.router.app import make

run_room("router", make)
