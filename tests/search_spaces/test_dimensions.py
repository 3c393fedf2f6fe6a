import numpy as np
import pytest

from keras_recipes.search_spaces.dimensions import Dimension, Range

KIND = Dimension(("plain", "fancy"), "plain", allowed=("plain", "fancy", "odd"))
DEPTH = Dimension(Range(1, 10), 3, "[1, inf)")
WIDTH = Dimension(Range(16, 512, logarithmic=True), 100, "[1, inf)")
BOUND = Dimension((0.0, 1.0, 2.0), 0.0, "[0, inf)")


@pytest.mark.parametrize(
    ("dimension", "given", "domain", "default"),
    [
        (DEPTH, 5, (5,), 5),
        (DEPTH, 12, (12,), 12),  # outside of what is searched by default
        (DEPTH, np.int64(5), (5,), 5),
        (DEPTH, np.array([9, 10]), (9, 10), 9),
        (DEPTH, np.array(4), (4,), 4),
        (DEPTH, [4, 3, 4], (4, 3), 3),  # the book's is there
        (DEPTH, (4, 16), Range(4, 16), 4),  # the nearest
        (DEPTH, (np.int64(1), 2), Range(1, 2), 2),
        (WIDTH, (8, 64), Range(8, 64, logarithmic=True), 64),
        (BOUND, 5, (5.0,), 5.0),
        (BOUND, [2.0, 1], (2.0, 1.0), 2.0),
        (KIND, "odd", ("odd",), "odd"),
        (KIND, np.array(["fancy", "odd"]), ("fancy", "odd"), "fancy"),
    ],
)
def test_fixed_and_narrowed(dimension, given, domain, default):
    narrowed = dimension.narrowed("it", given)
    assert (narrowed.domain, narrowed.default) == (domain, default)
    assert type(narrowed.default) is type(dimension.default)
    assert narrowed.fixed is (isinstance(domain, tuple) and len(domain) == 1)


@pytest.mark.parametrize(
    ("dimension", "given", "error", "message"),
    [
        (DEPTH, 0, ValueError, r"`it` must be in \[1, inf\). Received: it=0. Pass a value, a list"),
        (DEPTH, 2.5, TypeError, "must be an integer"),
        (DEPTH, "a", TypeError, "must be an integer"),
        (DEPTH, None, TypeError, "must be an integer"),
        (DEPTH, True, TypeError, "must be an integer"),
        (DEPTH, ("a", 3), TypeError, "must be an integer .* Received: it='a'"),
        (DEPTH, (1, 2, 3), ValueError, r"a tuple \(low, high\)"),
        (DEPTH, (4, 4), ValueError, "must have low < high"),
        (DEPTH, (0, 4), ValueError, "Received: it=0"),
        (DEPTH, [], ValueError, "at least one value"),
        (DEPTH, np.array([]), ValueError, "at least one value"),
        (DEPTH, np.array([[3, 4]]), TypeError, "must be an integer"),
        (DEPTH, range(3), TypeError, "Pass a value, a list of values"),
        (BOUND, -1.0, ValueError, "must be in"),
        (BOUND, float("nan"), ValueError, "must be in"),
        (BOUND, (1.0, 2.0), ValueError, r"it has no range. .* To choose among these pass \[1.0, 2"),
        (KIND, ("plain", "fancy"), ValueError, r"To choose among these pass \['plain', 'fancy'\]"),
        (KIND, "fency", ValueError, "Did you mean 'fancy'?"),
        (KIND, 3, TypeError, "must be one of 'plain', 'fancy', 'odd'"),
    ],
)
def test_errors(dimension, given, error, message):
    with pytest.raises(error, match=message):
        dimension.narrowed("it", given)


def test_names_are_those_of_the_domain_by_default():
    with pytest.raises(ValueError, match="must be one of 'plain', 'fancy'"):
        Dimension(("plain", "fancy"), "plain").narrowed("it", "odd")
