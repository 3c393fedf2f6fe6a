"""Where the workers of this machine come from: a process that imported all that they need."""

import contextlib
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

FORK = multiprocessing.get_context("fork")
FAREWELL = 10.0  # seconds for workers to end in


class Nursery:
    """Forks workers, each in no time, where the imports of TensorFlow take seconds of every core.

    It must be made before TensorFlow has run anything, which cannot be forked from then on. It ends
    with the process that made it, however that ends, and so do its workers.

    Args:
        work: What a worker does, with its flags as the arguments of a command.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._pipe, theirs = FORK.Pipe()
        self._process = FORK.Process(target=_serve, args=(work, theirs, self._pipe))
        self._process.start()
        theirs.close()

    def start(self, name: str, flags: list[str], log: Path) -> None:
        """Starts a worker.

        Args:
            name: Tells it from the others.
            flags: Of its command.
            log: Where what it prints is appended.
        """
        self._pipe.send((name, flags, log))

    def ended(self) -> Iterator[tuple[str, int]]:
        """Yields the workers that have ended since the last time: their names and exit codes.

        Raises:
            RuntimeError: If the nursery itself has ended.
        """
        try:
            while self._pipe.poll():
                yield self._pipe.recv()
        except (EOFError, OSError) as error:
            raise RuntimeError(
                "The process that starts workers must run. Received: it was ended. The same command "
                "goes on with the search."
            ) from error

    def __enter__(self) -> "Nursery":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends all workers, and itself."""
        self._pipe.close()
        self._process.join()


def _serve(work: Callable[[], None], pipe: Connection, of_the_maker: Connection) -> None:
    of_the_maker.close()  # else its end would not be seen
    os.setsid()  # Ctrl-C is for the maker, which stops all of them
    workers: dict[Any, tuple[str, ForkProcess]] = {}  # by what tells of their end
    # The maker has closed its end, perhaps before it had read all: then the connection is reset.
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            for ready in wait([pipe, *workers]):
                if ready is pipe:
                    name, flags, log = pipe.recv()
                    process = FORK.Process(target=_work, args=(work, flags, log))
                    process.start()
                    workers[process.sentinel] = name, process
                else:
                    name, process = workers.pop(ready)
                    process.join()
                    pipe.send((name, process.exitcode))
    _end([process for _, process in workers.values()])


def _work(work: Callable[[], None], flags: list[str], log: Path) -> None:
    with log.open("ab") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    sys.argv[1:] = flags
    work()


def _end(processes: list[ForkProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(FAREWELL)
        process.kill()
