"""The chief of a search by several processes: it hands out trials over keras-tuner's protocol."""

import os
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc
from keras_tuner.src import protos
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from recipes.command import command_line
from tuner.nursery import FAREWELL, Nursery
from tuner.oracles import DEATHS, Dependable

POLL = 0.2  # seconds between two looks at the workers
ADDRESS = "127.0.0.1:0"  # if none is given: for this machine alone, a port that is free
EVERYWHERE = ("0.0.0.0", "[::]")  # where a chief listens on all networks of its machine
GREETING = 3.0  # seconds in which workers find a chief that was started again
MENDABLE = 2  # a command's exit status after an error that its message says how to mend


class LocalWorkers:
    """Worker processes on this machine; one that dies is started again under its name.

    Args:
        oracle: What they get their trials from.
        nursery: What starts them.
        count: How many.
        flags: Of each, but for its name.
        run_dir: Where what they print is kept.
    """

    def __init__(
        self,
        oracle: Dependable,
        nursery: Nursery,
        count: int,
        flags: list[str],
        run_dir: Path,
    ) -> None:
        self._oracle, self._nursery, self._flags = oracle, nursery, flags
        self._logs = run_dir / "workers"
        self._logs.mkdir(exist_ok=True)
        self._deaths = 0  # since there last was a trial
        for number in range(count):
            self._start(f"worker-{number}")

    def check(self) -> None:
        """Starts again those that have died.

        Raises:
            RuntimeError: If workers die without a trial.
            OSError: If one ends with what the user can mend, such as a full disk.
        """
        if self._oracle.ongoing_trials:
            self._deaths = 0
        for name, status in self._nursery.ended():
            if status == MENDABLE:
                raise OSError(f"{name} ended, and said: {self._last_words(name)}")
            self._deaths += status != 0  # else it made room for a fresh one
            if self._deaths >= DEATHS:
                how = f"by signal {-status}" if status < 0 else f"with status {status}"
                raise RuntimeError(
                    f"Workers must start. Received: {DEATHS} that ended {how} before they had a "
                    f"trial; the last said: {self._last_words(name)} See {self._log(name)}."
                )
            self._start(name)

    def _last_words(self, name: str) -> str:
        return (self._log(name).read_text().strip().splitlines() or ["nothing"])[-1]

    def _start(self, name: str) -> None:
        self._nursery.start(name, [*self._flags, "--name", name], self._log(name))

    def _log(self, name: str) -> Path:
        return self._logs / f"{name}.log"


@contextmanager
def served(oracle: Dependable, address: str) -> Iterator[tuple[int, OracleServicer]]:
    """Answers workers while the context lasts.

    Args:
        oracle: What is asked.
        address: HOST:PORT to listen at; port 0 for one that is free.

    Yields:
        The port, and what answers; its `stop_triggered` says that the search is over.

    Raises:
        OSError: If nothing can listen there.
    """
    servicer = OracleServicer(oracle)
    # One thread: what an oracle is asked it answers in turn.
    server = grpc.server(ThreadPoolExecutor(max_workers=1), options=[("grpc.so_reuseport", 0)])
    protos.get_service_grpc().add_OracleServicer_to_server(servicer, server)
    try:
        port = server.add_insecure_port(address)
    except RuntimeError:
        port = 0
    if not port:
        raise OSError(
            f"`--chief` must be an address of this machine that is free. Received: {address}. Choose "
            "another port, or end the process that has it."
        )
    server.start()
    try:
        yield port, servicer
    finally:
        server.stop(grace=None).wait()


def lead(
    oracle: Dependable,
    nursery: Nursery | None,
    address: str | None,
    count: int,
    run_dir: Path,
    look: Callable[[], None],
    say: Callable[[str], None],
) -> None:
    """Has workers run all trials of a search.

    Args:
        oracle: What suggests the trials.
        nursery: What starts workers on this machine; None for workers from elsewhere alone.
        address: HOST:PORT to listen at; None for a port of this machine alone.
        count: Workers to start on this machine, which share its cores; others may join.
        run_dir: Of the search.
        look: Called some times a second.
        say: Called with what starts a worker elsewhere, if an address is given.

    Raises:
        OSError: If nothing can listen at the address, or something cannot be written.
        RuntimeError: If workers of this machine do not start.
    """
    begin = time.monotonic()
    threads = max(1, (os.cpu_count() or 1) // max(1, count))
    with served(oracle, address or ADDRESS) as (port, servicer):
        host = (address or ADDRESS).rpartition(":")[0]
        local, name = ("127.0.0.1", socket.gethostname()) if host in EVERYWHERE else (host, host)
        flags = [
            "--chief", f"{local}:{port}", "--run-dir", str(run_dir), "--threads", str(threads),
            "--of-this-machine",
        ]  # fmt: skip
        if address:
            join = ("--worker", "--chief", f"{name}:{port}", "--run-dir", run_dir.absolute())
            say(f"Workers join by: {command_line('tuner.search', *join)}")
        workers = LocalWorkers(oracle, nursery, count, flags, run_dir) if nursery else None
        while not servicer.stop_triggered and (oracle.ongoing_trials or not oracle.is_late()):
            if oracle.broken_by:  # while it answered a worker, which then ends as well
                raise oracle.broken_by
            if workers:
                workers.check()
            oracle.expire()
            look()
            time.sleep(POLL)
        oracle.close()
        soonest, latest = begin + GREETING, time.monotonic() + FAREWELL
        while (now := time.monotonic()) < latest and (oracle.tuner_ids or now < soonest):
            time.sleep(POLL)
        if nursery:
            nursery.stop()
        look()
