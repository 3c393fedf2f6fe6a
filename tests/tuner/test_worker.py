"""Workers: when they end."""

from tuner import worker
from tuner.oracles import make_oracle


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
