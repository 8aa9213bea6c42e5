"""`python -m services.supervision`: the room's process."""

from services.configured import run_room
from services.supervision.app import make

run_room("supervision", make)
