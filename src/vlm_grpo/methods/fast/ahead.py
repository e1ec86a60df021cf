"""Resize and normalise the next batch's pictures while the model works on this one.

`PicturesAhead` stands before a processor's image processor. TRL asks it for the same pictures twice a batch; the second
time the result is at hand. What it was last asked to do, a thread of its own does to the pictures of a batch that is
still to come, as soon as the data loader has it. Nothing here draws random numbers and a result depends on the pictures
alone, so a run is the same with it and without, and so is one that resumes.

Left out: batches that processes of the data loader make (`dataloader_num_workers`); they are prepared when asked for.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Lock
from typing import Any

from vlm_grpo.methods.fast.processing import KnownPictures, content_key, distinct

KEPT = 4
"""Batches whose pictures are kept: this one, the next, and what a step of several batches asks for at once."""


class PicturesAhead:
    """`image_processor` that keeps its newest results, and that `prepare` asks beforehand.

    `known` are pictures of the batch at hand, whose content is looked at once.
    """

    def __init__(self, image_processor: Any) -> None:
        self._image_processor = image_processor
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pictures-ahead")
        self._results: OrderedDict[Hashable, Future[Any]] = OrderedDict()
        self._lock = Lock()
        self._settings: dict[str, Any] | None = None
        self.known: KnownPictures = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._image_processor, name)

    def __call__(self, images: Any, *, return_tensors: Any = None, **settings: Any) -> Any:
        """As the image processor, but in torch's tensors, which the processor takes for what `return_tensors` says."""
        self._settings = settings
        return self._processed(images, settings, self.known).result().copy()

    def prepare(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Begin with the pictures of `rows` as TRL reads them, and return `rows`, as a data collator does.

        Nothing is begun before the first call has shown with which settings.
        """
        if self._settings is not None and any(row.get("images") for row in rows):
            self._thread.submit(self._begin, rows, self._settings)
        return rows

    def clear(self) -> None:
        """Forget all results."""
        with self._lock:
            self._results.clear()

    def _begin(self, rows: list[dict[str, Any]], settings: dict[str, Any]) -> None:
        known: KnownPictures = {}
        first, _ = distinct([(row["prompt"], row["images"]) for row in rows], known)
        self._processed([rows[row]["images"] or [] for row in first], settings, known)

    def _processed(self, images: Any, settings: dict[str, Any], known: KnownPictures) -> Future[Any]:
        """The result, by whoever asks first; an error is the result of those who ask for it."""
        key = content_key([images, settings], known)
        with self._lock:
            at_hand = self._results.get(key)
            result = self._results[key] = at_hand or Future()
            self._results.move_to_end(key)
            while len(self._results) > KEPT:
                self._results.popitem(last=False)
        if at_hand is None:
            try:
                result.set_result(self._image_processor(images, return_tensors="pt", **settings))
            except BaseException as error:
                result.set_exception(error)
        return result


@contextmanager
def before(processor: Any, ahead: PicturesAhead) -> Iterator[None]:
    """Within the context `processor` asks `ahead` for its pictures."""
    stock, processor.image_processor = processor.image_processor, ahead
    try:
        yield
    finally:
        processor.image_processor = stock
        ahead.known.clear()
