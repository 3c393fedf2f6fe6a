"""The recipes whose arithmetic can be followed by hand."""

import sys

import numpy as np
import pytest

from recipes import linear_models


def test_the_perceptron_rule_is_that_of_scikit_learn(report, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# By hand\n\n<!-- measured -->\nold\n<!-- end -->\n\nConclusion.\n")
    rule, xor = report("perceptron", "--page", page, figures=["xor"])
    assert len(rule) == 3
    for row in rule.values():
        assert row["accuracy"] == row["scikit-learn's"]
        assert float(row["largest weight"]) > 0.5
        assert float(row["largest difference"]) < 1e-4
    assert rule["iris: setosa by its petals"]["accuracy"] == "1.0000"
    right = xor["right"]
    assert int(right["one layer"][0]) < 4
    assert right["two layers by hand"] == right["two layers, trained"] == "4 of 4"
    check_page(page)


def check_page(page):
    text = page.read_text()
    assert text.startswith("# By hand\n\n<!-- measured -->\n\n**The perceptron rule")
    assert text.endswith("\n<!-- end -->\n\nConclusion.\n")
    assert "old" not in text
    assert "`python -m recipes.perceptron --quick`" in text
    assert "![xor](figures/perceptron-xor.png)" in text
    assert (page.parent / "figures" / "perceptron-xor.png").is_file()


def test_backpropagation_by_hand_is_that_of_keras(report):
    forward, signals, gradients = report("backprop_by_hand")
    assert set(forward) == {"z1", "a1", "z2", "loss"}
    assert set(signals) == {"dz2", "da1", "dz1"}
    assert set(gradients) == {"dW1", "db1", "dW2", "db2"}
    rows = [*forward.values(), *gradients.values()]
    differences = [float(row["from Keras's"]) for row in rows if row["from Keras's"]]
    assert len(differences) == 7
    assert max(differences) < 1e-6


def test_gradient_descent_comes_to_the_normal_equation_unless_its_rate_is_too_high(report):
    batches, rates, times = report("gradient_descent", figures=["paths"])
    assert [row["steps"] for row in batches.values()] == ["20", "100", "2000", "1"]
    assert float(batches["mini-batch"]["from the optimum"]) < 0.3
    assert float(batches["stochastic"]["from the optimum"]) < 1
    solved = batches["normal equation"]
    assert abs(float(solved["intercept"]) - 4) < 0.5
    assert abs(float(solved["slope"]) - 3) < 0.5
    apart = {name: float(row["from the optimum"]) for name, row in rates.items()}
    assert apart["well chosen"] < apart["too low"] < 5 < apart["too high"]
    for row in times.values():
        assert abs(float(row["RMSE"]) - 1) < 0.1


def test_linear_models_are_those_of_scikit_learn(report):
    regressions, *classifications = report("linear_models", figures=["lasso_path"])
    assert len(regressions) == 4
    assert [len(table) for table in classifications] == [1, 1]
    for row in [*regressions.values(), *(row for [row] in map(dict.values, classifications))]:
        assert abs(float(row["test"]) - float(row["scikit-learn"])) < 0.02
        ours, theirs = row["zeros"].split(" and ")
        assert ours == theirs
        assert float(row["difference"]) < 0.15
    for name, row in regressions.items():
        assert float(row["difference"]) < 0.01
        assert (row["zeros"] != "0 and 0") == ("l1" in name or "both" in name)


def test_linear_models_of_data_of_ones_own(report, tmp_path):
    rng = np.random.default_rng(0)
    rows = [(x, rng.choice(["red", "white"]), 1e4 * x + rng.normal()) for x in rng.normal(size=200)]
    lines = ["size,colour,price", *(",".join(map(str, row)) for row in rows)]
    (tmp_path / "houses.csv").write_text("\n".join(lines))
    arguments = ("--data", "houses.csv", "--target", "price", "--epochs", 200)
    [table] = report("linear_models", *arguments, figures=["lasso_path"])
    assert float(table["least squares"]["test"]) > 0.9
    assert table["least squares"]["test"] == table["least squares"]["scikit-learn"]
    [classes] = report("linear_models", "--data", "houses.csv", "--target", "colour")
    assert list(classes) == ["logistic, l2 = 0.001"]


def test_linear_models_want_one_target(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    np.savez("two.npz", x=np.ones((50, 2)), y=np.random.default_rng(0).normal(size=(50, 2)))
    monkeypatch.setattr(sys, "argv", ["linear_models", "--data", "two.npz"])
    with pytest.raises(ValueError, match="`--data` must have one target"):
        linear_models.main()
    assert [path.name for path in tmp_path.iterdir()] == ["two.npz"]
