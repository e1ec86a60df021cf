"""What the labelling page is told and asks for: the sessions of all annotators over one sample and one file of labels.

The page knows an item by its place in the sample and is told its texts, pictures and choices, never model, verdict or
truth; what the labels say together only when the annotator has labelled all.
"""

from http import HTTPStatus
from pathlib import Path
from typing import Any

from vlm_grpo.labelling import records
from vlm_grpo.labelling.session import Session
from vlm_grpo.labelling.work import Item, Work

LONGEST_NAME, LONGEST_NOTE = 100, 10_000


class Refused(Exception):
    """A request that is not answered as asked: the status, and a reason for the page."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Desk:
    """The sessions of all annotators over one sample and one file of labels; calls must not overlap."""

    def __init__(self, work: Work, path: Path, *, annotator: str | None, seed: int) -> None:
        self.work, self.path, self.annotator, self.seed = work, path, annotator, seed
        self._places = {item.key: place for place, item in enumerate(work.items)}
        self._sessions: dict[str, Session] = {}
        if annotator is not None:
            self.session(annotator)

    def session(self, annotator: str) -> Session:
        """The session of `annotator`, begun where there is none."""
        annotator = annotator.strip()
        if not annotator or len(annotator) > LONGEST_NAME:
            raise Refused(HTTPStatus.BAD_REQUEST, f"give a name of 1 to {LONGEST_NAME} characters")
        if annotator not in self._sessions:
            self._sessions[annotator] = Session(self.work, self.path, annotator, seed=self.seed)
        return self._sessions[annotator]

    def state(self, session: Session) -> dict[str, Any]:
        """What the page shows now."""
        return {
            "annotator": session.annotator,
            "instruction": self.work.instruction,
            "done": session.done,
            "total": len(self.work.items),
            "item": None if session.item is None else self._shown(session.item),
        }

    def _shown(self, item: Item) -> dict[str, Any]:
        place = self._places[item.key]
        return {
            "place": place,
            "texts": [{"name": name, "text": text} for name, text in item.texts],
            "pictures": [f"picture/{place}/{number}" for number in range(len(item.pictures))],
            "choices": [{"key": c.key, "name": c.name, "meaning": c.meaning} for c in item.choices],
            "entry": item.entry,
        }

    def act(self, action: str, asked: dict[str, Any]) -> dict[str, Any]:
        """Label, skip or undo as the page asks; the new state."""
        session = self.session(_text(asked, "annotator", LONGEST_NAME))
        if action == "undo":
            if not session.undo():
                raise Refused(HTTPStatus.CONFLICT, "there is nothing to undo")
            return self.state(session)
        key = self._item(asked.get("place")).key
        try:
            if action == "skip":
                session.skip(key)
            else:
                said, note = _text(asked, "said", LONGEST_NOTE), _text(asked, "note", LONGEST_NOTE)
                if not session.label(key, said, note=note.strip(), seconds=_seconds(asked.get("seconds"))):
                    raise Refused(HTTPStatus.UNPROCESSABLE_ENTITY, f"that is not {self._item(asked['place']).entry}")
        except KeyError:
            raise Refused(HTTPStatus.CONFLICT, "another item is to be labelled now; this page is behind") from None
        return self.state(session)

    def results(self, session: Session) -> dict[str, Any]:
        """Tables, and the items that raters do not agree on; refused while the annotator has items left."""
        if session.item is not None:
            raise Refused(HTTPStatus.FORBIDDEN, "label what is left first: the verdicts are shown afterwards")
        results = self.work.results(records.read(self.path, self.work))
        tables = [{"title": t.title, "header": t.header, "rows": t.rows, "notes": t.notes} for t in results.tables]
        disputed = [
            {**self._shown(one.item), "said": [{"who": who, "what": what, "note": one.notes.get(who, "")}
                                               for who, what in one.said.items()]}
            for one in results.disputed
        ]  # fmt: skip
        return {"tables": tables, "disputed": disputed}

    def picture(self, place: str, number: str) -> Path:
        """The file of a picture of the sample."""
        item = self._item(int(place) if place.isdecimal() else None)
        if not number.isdecimal() or int(number) >= len(item.pictures):
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such picture")
        return item.pictures[int(number)]

    def _item(self, place: Any) -> Item:
        if not isinstance(place, int) or not 0 <= place < len(self.work.items):
            raise Refused(HTTPStatus.NOT_FOUND, "there is no such item")
        return self.work.items[place]


def _text(asked: dict[str, Any], name: str, longest: int) -> str:
    value = asked.get(name, "")
    if not isinstance(value, str) or len(value) > longest:
        raise Refused(HTTPStatus.BAD_REQUEST, f"{name} must be a text of at most {longest} characters")
    return value


def _seconds(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6
    return float(value) if is_number else None
