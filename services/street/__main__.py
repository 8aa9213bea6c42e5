"""`python -m services.street`: the room's process."""

from services.configured import run_room
from services.street.app import make

run_room("street", make)
