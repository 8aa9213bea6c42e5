"""What is frozen at a dispatch, as a state holds it: few differ, so what is the same is one object, and read once.

In the state's JSON it is a text of its own, with the very words of the first dispatch.
"""

from functools import lru_cache
from typing import Annotated, TypeVar

from pydantic import PlainSerializer, PlainValidator

from schemas.event import Model
from schemas.incident import Policy
from schemas.response import Owner
from services.domain.memo import remembered_of_each

M = TypeVar("M", bound=Model)


def _text_of(model: Model) -> str:
    return model.model_dump_json(exclude_none=True)


def _reader_of(kind: type[M]) -> PlainValidator:
    """Return what reads a model from its text; a state that was written before there was one has the model itself."""
    from_text = lru_cache(maxsize=1_000)(kind.model_validate_json)

    def read(value: object) -> M:
        return from_text(value) if isinstance(value, str) else kind.model_validate(value)

    return PlainValidator(read)


_written = PlainSerializer(remembered_of_each(_text_of), return_type=str)
FrozenPolicy = Annotated[Policy, _reader_of(Policy), _written]
FrozenOwner = Annotated[Owner, _reader_of(Owner), _written]
