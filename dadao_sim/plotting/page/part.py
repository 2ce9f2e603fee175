"""What a page is made of."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Part:
    """A part of a page: its ``template``, what that is filled with, and the ``data`` that it
    draws, by ids that the page has nowhere else.
    """

    id: str
    title: str
    template: str
    context: dict[str, Any]
    data: dict[str, Any] = field(default_factory=dict)
