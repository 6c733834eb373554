"""The program's JSON reports as objects."""
from __future__ import annotations

import json
from typing import Any, Iterator, Mapping, Optional


class Report(Mapping[str, Any]):
    """A JSON object: its members as attributes and by name. What they mean is in the program's report.schema.json."""

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = dict(members)

    def __getattr__(self, name: str) -> Any:
        try:
            return _wrapped(self._members[name])
        except KeyError:
            raise AttributeError(f"the report has no {name}; it has {', '.join(self._members)}") from None

    def __getitem__(self, name: str) -> Any:
        return _wrapped(self._members[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._members]

    def __repr__(self) -> str:
        return f"Report({json.dumps(self._members, indent=2)})"

    def dict(self) -> dict[str, Any]:
        """As json.loads gives it."""
        return self._members


def _wrapped(value: Any) -> Any:
    if isinstance(value, dict):
        return Report(value)
    return [_wrapped(one) for one in value] if isinstance(value, list) else value


class CompressReport(Report):
    """Of compress(): the figures that are asked for most have types."""

    @property
    def bytes_before(self) -> int:
        return int(self._members["before"]["bytes"])

    @property
    def bytes_after(self) -> int:
        return int(self._members["after"]["bytes"])

    @property
    def agreement(self) -> Optional[float]:
        """Share of the answers that stayed, on samples that the network was not fitted to; None: not measured."""
        verified = self._members.get("verified")
        return verified.get("agreement") if verified else None

    @property
    def sqnr_db(self) -> Optional[float]:
        """Of the logits there; None: not measured, or equal."""
        verified = self._members.get("verified")
        return verified.get("sqnr_db") if verified else None

    @property
    def warnings(self) -> list[str]:
        return list(self._members.get("warnings", []))
