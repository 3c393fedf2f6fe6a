"""Workers: what they bear with, and when they end."""

import grpc
import pytest
from keras_tuner.src import protos
from keras_tuner.src.distribute import oracle_client
from keras_tuner.src.distribute.oracle_chief import OracleServicer

from keras_recipes.search_spaces import DefaultDNN
from tuner import worker
from tuner.algorithms import make_oracle
from tuner.chief import served
from tuner.study import Study


def test_a_call_that_a_chief_had_when_it_died_is_made_again(monkeypatch):
    answer, asked = OracleServicer.GetSpace, []

    def die_first(self, request, context):
        asked.append(request)
        if len(asked) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return answer(self, request, context)

    monkeypatch.setattr(OracleServicer, "GetSpace", die_first)
    oracle = make_oracle("random", "val_loss", 1, 1, 0, 1)
    with served(oracle, "127.0.0.1:0") as (port, _):
        stub = protos.get_service_grpc().OracleStub(worker._channel(f"127.0.0.1:{port}"))
        stub.GetSpace(protos.get_service().GetSpaceRequest(), wait_for_ready=True, timeout=30)
    assert len(asked) == 2


def test_a_worker_that_is_interrupted_gives_its_trial_back(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Study, "run_trial", interrupt)
    monkeypatch.setattr(oracle_client, "TIMEOUT", 30)
    chief = make_oracle("random", "val_loss", 1, 1, 0, 1)
    chief._set_project_dir(tmp_path, "search")
    with served(chief, "127.0.0.1:0") as (port, _):
        for name, value in (("ORACLE_IP", "127.0.0.1"), ("ORACLE_PORT", port), ("TUNER_ID", "far")):
            monkeypatch.setenv(f"KERASTUNER_{name}", str(value))
        oracle = make_oracle("random", "val_loss", 1, 1, 0, 1)
        far = worker.Worker(oracle, DefaultDNN(4), tmp_path, recycled=False, seed=0)
        with pytest.raises(KeyboardInterrupt):
            far.search(None, 1)
    assert not chief.ongoing_trials
    again = chief.create_trial("near")
    assert (again.trial_id, again.status) == ("0000", "RUNNING")
    assert not chief._lost  # it ended no process


def test_a_worker_that_did_not_hear_of_the_end_reads_it_in_the_directory(tmp_path, monkeypatch):
    def open_search():
        oracle = make_oracle("random", "val_loss", 1, 1, 0, 1)
        oracle._set_project_dir(tmp_path, "search")
        return oracle

    (tmp_path / "search").mkdir()
    open_search().close()  # a search of before, with which another chief goes on
    chief, ends = open_search(), []
    meanwhile = iter([chief.save, chief.save, chief.close])

    def sleep(seconds):
        assert not ends
        if seconds == worker.LOOK:
            next(meanwhile)()

    monkeypatch.setattr(worker.time, "sleep", sleep)
    monkeypatch.setattr(worker.os, "_exit", ends.append)
    worker._end_after(tmp_path / "search")
    assert ends == [0]
    assert next(meanwhile, None) is None
