"""Work that a GPU may do beside other work: on a second stream, which a captured step keeps as a branch of its graph.

While a token is decoded a kernel fills a part of the GPU only, so products that wait for nothing but the same input
run side by side. On a CPU everything stays in line. Numbers do not change: the kernels are the same.
"""

import torch


class Branch:
    """`with branch: ...` begins after what was asked for before; after `branch.join()` its results may be used.

    What a branch made is read before it is entered again, so memory that is given back in between is not written early.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __enter__(self) -> None:
        if self._stream is not None:
            self._stream.wait_stream(torch.cuda.current_stream(self._stream.device))
            self._entered = torch.cuda.stream(self._stream)
            self._entered.__enter__()

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._entered.__exit__(None, None, None)

    def join(self) -> None:
        """What is asked for from here on waits for the branch."""
        if self._stream is not None:
            torch.cuda.current_stream(self._stream.device).wait_stream(self._stream)
