"""A worker of a search: runs the trials that the chief hands out, until there are no more.

python -m tuner.search --worker --chief HOST:PORT --run-dir DIR
"""

import argparse
import contextlib
import gc
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import keras_tuner
from keras_tuner.src import protos
from keras_tuner.src.distribute import oracle_client

from recipes.command import Parser, count
from tuner.chief import GREETING
from tuner.json_files import is_over, read_json, write_json
from tuner.nursery import FAREWELL
from tuner.oracles import FAILURE, GIVEN_BACK, LEASE
from tuner.settings import Settings
from tuner.study import NotKept, Study

WAIT = 300  # seconds for a chief that does not answer, as it may be started again
SILENCE = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
RECYCLED = 200  # trials, after which a worker leaves its place to a fresh process
LOOK = 5.0  # seconds between two looks whether the search is over
PAUSE = 0.2  # seconds, before the chief is asked again that had no trial


class Worker(Study):
    """A `Study` in a process that gets its trials from a chief.

    Args:
        *arguments: As for `Study`.
        recycled: Whether it ends after some trials, for the chief to start a fresh one.
        **keywords: As for `Study`.
    """

    def __init__(self, *arguments: Any, recycled: bool, **keywords: Any) -> None:
        self._recycled, self._ended, self._paused = recycled, 0, False
        super().__init__(*arguments, **keywords)

    def pre_create_trial(self) -> None:
        if self._recycled and self._ended >= RECYCLED:
            sys.exit()
        if self._paused:  # the last time there was none
            time.sleep(PAUSE)
        self._paused = True

    def run_trial(self, trial: Any, *arguments: Any, **keywords: Any) -> dict[str, float]:
        self._paused = False
        with self._signs_of_life(trial.trial_id), self._given_back_on_ctrl_c(trial):
            return super().run_trial(trial, *arguments, **keywords)

    def on_trial_end(self, trial: Any) -> None:
        self._ended += 1
        if trial.message:
            path = Path(self.get_trial_dir(trial.trial_id)) / FAILURE
            write_json(path, {"message": trial.message}, self.tuner_id)
        super().on_trial_end(trial)

    def _run_and_update_trial(self, *arguments: Any, **keywords: Any) -> None:
        try:
            super()._run_and_update_trial(*arguments, **keywords)
        except grpc.RpcError as error:  # no failure of the trial
            raise keras_tuner.errors.FatalError("The chief does not answer.") from error

    @contextlib.contextmanager
    def _given_back_on_ctrl_c(self, trial: Any) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            trial.status = GIVEN_BACK
            oracle_client.TIMEOUT = GREETING  # the chief may be gone
            with contextlib.suppress(grpc.RpcError):
                self.oracle.end_trial(trial)
            raise

    @contextlib.contextmanager
    def _signs_of_life(self, trial_id: str) -> Iterator[None]:
        over = threading.Event()

        def give() -> None:
            while not over.wait(LEASE / 6):
                with contextlib.suppress(grpc.RpcError):
                    self.oracle.get_trial(trial_id)

        threading.Thread(target=give, daemon=True).start()
        try:
            yield
        finally:
            over.set()


def work(chief: str, run_dir: Path, name: str, of_this_machine: bool = False) -> None:
    """Runs trials until the chief has no more.

    Args:
        chief: HOST:PORT.
        run_dir: Of the search, shared with the chief.
        name: Tells workers apart.
        of_this_machine: Whether the chief started it, and starts it again.

    Raises:
        ValueError: If there is no search in `run_dir`.
        OSError: If the chief does not answer.
    """
    settings = read_json(run_dir / "run.json")
    if settings is None:
        raise ValueError(
            f"`--run-dir` must be the directory of the chief's search. Received: {run_dir}, where no "
            "search is. Share the chief's directory with this machine, and pass its path here."
        )
    print(f"process {os.getpid()} works for {chief}", flush=True)
    search = Settings(**settings)
    host, _, port = chief.rpartition(":")
    os.environ["KERASTUNER_ORACLE_IP"], os.environ["KERASTUNER_ORACLE_PORT"] = host, port
    os.environ["KERASTUNER_TUNER_ID"] = name
    oracle_client.TIMEOUT = WAIT
    data = search.load_data()
    study = Worker(
        search.make_oracle(), search.make_space(data), run_dir,
        recycled=of_this_machine, **search.of_study(),
    )  # fmt: skip
    study.oracle.stub = protos.get_service_grpc().OracleStub(_channel(chief))
    threading.Thread(target=_end_after, args=(Path(study.project_dir),), daemon=True).start()
    gc.freeze()
    try:
        with open(os.devnull, "w") as nothing, contextlib.redirect_stdout(nothing):
            study.search(data, search.epochs)  # keras-tuner prints hyperparameters as it reads them
    except NotKept:
        raise
    except (grpc.RpcError, keras_tuner.errors.FatalError) as error:
        call: Any = error if isinstance(error, grpc.RpcError) else error.__cause__
        received = f"nothing for {WAIT} s" if call.code() in SILENCE else call.details()
        raise OSError(
            f"The chief at {chief} must answer. Received: {received}. Start it again with the same "
            "--run-dir and --chief, then this worker"
        ) from error


def _channel(chief: str) -> grpc.Channel:
    """Returns a channel that a chief which is started again finds open.

    keras-tuner's own lets up to two minutes pass before it looks again for a lost chief, and fails the
    call that was under way when it was lost. What a chief is asked or told twice it hears once.
    """
    soon = GREETING / 3
    again = {
        "maxAttempts": 5,  # each waits for the chief
        "initialBackoff": "0.2s",
        "maxBackoff": f"{soon}s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    config = {"methodConfig": [{"name": [{}], "retryPolicy": again}]}
    return grpc.insecure_channel(
        chief,
        [
            ("grpc.max_reconnect_backoff_ms", int(1000 * soon)),
            ("grpc.service_config", json.dumps(config)),
        ],
    )


def address(text: str) -> str:
    """Returns the HOST:PORT that a flag has."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise argparse.ArgumentTypeError(
            f"must be HOST:PORT, such as 127.0.0.1:7000. Received: {text!r}"
        )
    return text


def main() -> None:
    """Works as the flags say."""
    parser: argparse.ArgumentParser = Parser(__doc__)
    parser.add_argument(
        "--chief", type=address, required=True, metavar="HOST:PORT", help="where the chief listens"
    )
    parser.add_argument("--run-dir", type=Path, required=True, metavar="DIR", help="of the search")
    parser.add_argument("--name", default=f"{socket.gethostname()}-{os.getpid()}", help="its own")
    parser.add_argument(
        "--threads", type=count, metavar="N", help="of TensorFlow; all if not given"
    )
    parser.add_argument(
        "--of-this-machine", action="store_true", help="end with the process that started it"
    )
    arguments = parser.parse_args()
    if arguments.threads:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
        tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    if arguments.of_this_machine:
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    work(arguments.chief, arguments.run_dir, arguments.name, arguments.of_this_machine)


def _end_after(project: Path) -> None:
    """Ends the process some time after a search that it did not hear the end of."""
    while is_over(project):  # a search of before, which a chief is about to open again
        time.sleep(LOOK)
    while not is_over(project):
        time.sleep(LOOK)
    time.sleep(FAREWELL)
    print("The search has ended.", flush=True)
    os._exit(0)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PAUSE)
    os._exit(1)
