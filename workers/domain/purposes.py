"""What a person may consent to, as the controller declares it."""

from collections.abc import Iterator, Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from schemas.base import Language
from workers.errors import RefusalCode, Refused

_Term = Annotated[str, StringConstraints(pattern=r"^dpv:[A-Za-z]+$")]
_Title = Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\r\n<>]+$")]


class Purpose(BaseModel):
    """One purpose. `term` is the W3C DPV 2.3 term, `title` what people read, by language."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    term: _Term
    title: Annotated[Mapping[Language, _Title], Field(min_length=1)]
    needs_double_opt_in: bool
    marketing: bool

    def title_in(self, language: str) -> str:
        """The title in this language, or in the first one that is declared."""
        return self.title.get(language) or next(iter(self.title.values()))


class Purposes(Mapping[str, Purpose]):
    """Every declared purpose by its name, in the order of the file."""

    def __init__(self, declared: Mapping[str, Purpose]) -> None:
        self._declared = dict(declared)

    def __getitem__(self, name: str) -> Purpose:
        return self._declared[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._declared)

    def __len__(self) -> int:
        return len(self._declared)

    def declared(self, name: str) -> Purpose:
        """The purpose. Raises Refused where the controller has declared none of this name."""
        purpose = self._declared.get(name)
        if purpose is None:
            raise Refused(
                RefusalCode.UNKNOWN_PURPOSE,
                "this purpose is not declared; add it to the purposes file and replay, or correct the event",
                "purpose",
            )
        return purpose
