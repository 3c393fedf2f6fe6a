import time

from tuner.nursery import Nursery


def test_it_ends_in_peace_where_nobody_has_read_of_a_worker_that_ended(tmp_path):
    nursery = Nursery(lambda: None)
    nursery.start("worker-0", [], tmp_path / "log")
    while not nursery._pipe.poll():
        time.sleep(0.01)
    nursery.stop()
    assert nursery._process.exitcode == 0


def test_it_tells_of_those_that_ended_and_ends_the_others(tmp_path):
    def work():
        import sys

        if sys.argv[1] == "fail":
            sys.exit(3)
        time.sleep(100)

    with Nursery(work) as nursery:
        nursery.start("stays", ["stay"], tmp_path / "stays")
        nursery.start("fails", ["fail"], tmp_path / "fails")
        while not (ended := list(nursery.ended())):
            time.sleep(0.01)
        assert ended == [("fails", 3)]
    assert nursery._process.exitcode == 0
