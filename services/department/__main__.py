"""`python -m services.department`: the room's process."""

from services.configured import run_room
from services.department.app import make

run_room("department", make)
