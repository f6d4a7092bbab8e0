"""What all parts of the settings have in common: nothing unknown is accepted, nothing changes once it was read."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Identifier = Annotated[str, Field(pattern=r"^[!-~]{1,20}$")]


class Strict(BaseModel):
    """A part of the settings; an unknown key is an error, because it is nearly always a misspelt one."""

    model_config = ConfigDict(extra="forbid", frozen=True)
