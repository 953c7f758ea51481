"""What requests of /api/v1 may hold: models of queries and bodies, and the types that their fields share.

Unknown names are refused, and no value is taken for one of another type.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from gateway.http.parameters import ID_MAX, read_time

PAGE_MAX = 200

Id = Annotated[int, Path(ge=0, le=ID_MAX, description="Its number; one of another company is not found.")]
"""A number in an address; the route says `{name:id}`."""

Time = Annotated[datetime, BeforeValidator(read_time)]
"""A time with its offset, in UTC."""


class Given(BaseModel):
    """A query or a body, or an object in one. A string below a field is its description."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    def given(self, *names: str) -> dict[str, Any]:
        """The fields that were sent, of all or of these."""
        return {
            name: getattr(self, name) for name in type(self).model_fields
            if name in self.model_fields_set and (not names or name in names)
        }  # fmt: skip

    def has(self, name: str) -> bool:
        """Whether it was sent: one that was left out is not the same as null."""
        return name in self.model_fields_set

    def fingerprint(self) -> bytes:
        """Equal for bodies that say the same, however their JSON is written."""
        said = self.model_dump(mode="json", exclude_unset=True)
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()


class Page(Given):
    """A piece of a listing. Subclasses add what they filter by."""

    limit: int = Field(100, ge=1, le=PAGE_MAX)
    """How many at most."""
    cursor: str | None = Field(None, max_length=200)
    """`next_cursor` of the page before; without it the listing begins at its beginning."""


def text(most: int) -> Any:
    """A text that says something, of up to so many characters."""
    return Annotated[str, Field(min_length=1, max_length=most, pattern=r"\S")]


def id_of(what: str) -> Any:
    """A number that names something; one that no table can hold is a 404."""

    def possible(value: int) -> int:
        if value > ID_MAX:
            raise PydanticCustomError("no_such", "there is no such {what}", {"what": what})
        return value

    return Annotated[int, Field(ge=1), AfterValidator(possible)]
