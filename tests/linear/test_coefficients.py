import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression

import keras_recipes as kr
from keras_recipes.linear import coefficient_table

DATA = load_diabetes(scaled=False)
X, Y, NAMES = DATA.data, DATA.target, DATA.feature_names


def solved(**keywords):
    model = kr.build_linear_regression(10, **keywords)
    kr.solve_normal_equation(model, X, Y)
    return model


@pytest.mark.parametrize("adapt_to", [None, X])
def test_coefficients_are_in_the_units_of_the_inputs(adapt_to):
    table = coefficient_table(solved(adapt_to=adapt_to), NAMES, ["progression"])
    expected = LinearRegression().fit(X, Y)
    np.testing.assert_allclose(table.coefficients[:, 0], expected.coef_, rtol=1e-3)
    np.testing.assert_allclose(table.intercepts, expected.intercept_, rtol=1e-3)
    deviations = 1 if adapt_to is None else X.std(axis=0)
    np.testing.assert_allclose(table.standardized[:, 0], expected.coef_ * deviations, rtol=1e-3)
    assert table.feature_names == tuple(NAMES)
    assert table.odds_ratios is None
    assert len(table) == 10


def test_the_names_of_the_inputs_of_a_csv(tmp_path):
    sizes, colours = X[:, 2], np.where(X[:, 3] > 90, "red", "white")
    lines = [",".join(map(str, row)) for row in zip(sizes, colours, Y, strict=True)]
    (tmp_path / "houses.csv").write_text("\n".join(["size,colour,price", *lines]))
    data = kr.load_dataset(tmp_path / "houses.csv", "price")
    model = kr.build_linear_regression(data.input_shape)
    kr.solve_normal_equation(model, data.x_train, data.y_train, l2=1e-6)
    table = coefficient_table(model, data.input_names, data.target_names)
    assert set(table.feature_names) == {"size", "colour=red", "colour=white"}
    by_name = dict(zip(table.feature_names, table.coefficients[:, 0], strict=True))
    assert by_name["colour=red"] == pytest.approx(-by_name["colour=white"], rel=0.01)
    assert by_name["colour=red"] > 0.05


def test_the_printed_table_has_the_names():
    lines = str(coefficient_table(solved(adapt_to=X), NAMES)).splitlines()
    assert lines[0].split() == ["feature", "coefficient", "per", "deviation"]
    assert [line.split()[0] for line in lines[1:]] == [*NAMES, "(intercept)"]
    bmi = lines[1 + NAMES.index("bmi")].split()
    assert float(bmi[1]) == pytest.approx(5.603, rel=1e-3)
    assert float(bmi[2]) == pytest.approx(5.603 * X[:, 2].std(), rel=1e-3)
    assert "per deviation" not in str(coefficient_table(solved(), NAMES))


def test_odds_ratios():
    model = kr.build_logistic_regression(2)
    model.set_weights([np.array([[np.log(2.0)], [0.0]]), np.array([-1.0])])
    table = coefficient_table(model, ["dose", "age"], ["ill"])
    np.testing.assert_allclose(table.odds_ratios, [[2], [1]], rtol=1e-6)
    assert table.selected == ("dose",)
    odds = kr.linear.predict_odds(model, np.array([[0.0, 0], [1, 0]]))[:, 1]
    assert odds[1] / odds[0] == pytest.approx(2)
    assert str(table).splitlines()[1].split() == ["dose", "0.69315", "2"]


def test_a_column_for_each_class():
    model = kr.build_logistic_regression((2, 1), 3, adapt_to=np.array([[[1.0], [2]], [[3], [8]]]))
    table = coefficient_table(model, output_names=["red", "green", "blue"])
    assert table.coefficients.shape == (2, 3)
    assert table.feature_names == ("x0", "x1")
    assert table.odds_ratios is None
    assert table.selected == ()
    assert "green: coefficient" in str(table)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ({"feature_names": ["a"]}, ValueError, "`feature_names` must have 10 names. Received: 1"),
        ({"feature_names": "abcdefghij"}, TypeError, "a sequence of names"),
        ({"feature_names": [1] * 10}, TypeError, "a sequence of names"),
        ({"output_names": ["a", "b"]}, ValueError, "`output_names` must have 1 names"),
        ({"model": kr.build_default_dnn(10)}, ValueError, "one Dense layer"),
    ],
)
def test_bad_arguments_are_refused(arguments, error, match):
    with pytest.raises(error, match=match):
        coefficient_table(**{"model": kr.build_linear_regression(10), **arguments})
