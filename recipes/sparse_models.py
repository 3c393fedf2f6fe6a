"""What zeros cost: pruned networks, L1 with exact zeros, and dense networks of as many weights."""

import itertools
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

import keras_recipes as kr
from keras_recipes.checks import check_tensorflow
from recipes.columns import of
from recipes.command import comparison_parser, run
from recipes.comparison import Comparison, Outcome, Variant

SHARES, QUICK_SHARES = (0.5, 0.8, 0.9, 0.95, 0.99), (0.8,)  # of zeros in the kernels
WIDTH = 100  # of each of the three hidden layers
RAMP = (0.1, 0.7)  # of the training: after learning something, with time to recover
PENALTIES = (1e-5, 1e-2)  # of L1, between which the search for one begins
WITHIN, QUICK_WITHIN = 0.005, 0.05  # how near a penalty's zeros are to the share asked for
MOST_TRIED, BEYOND = 10, 3.0  # for a share; times the largest penalty, where it is too small

Found = Mapping[float, Mapping[str, Sequence[Outcome]]]  # by share and by way to get there


def main() -> None:
    arguments = comparison_parser(__doc__).parse_args()
    check_tensorflow("The pruned networks of `recipes.sparse_models`")
    comparison = Comparison("sparse_models", arguments)
    networks, report = Networks(comparison), comparison.report
    shares = QUICK_SHARES if comparison.quick else SHARES
    penalties = penalties_for(
        shares, networks.zeros_of, QUICK_WITHIN if comparison.quick else WITHIN
    )
    full = comparison.run([networks.variant("full")], max_learning_rate=networks.rate)["full"]
    found = {
        share: comparison.run(networks.of_share(share, penalty), max_learning_rate=networks.rate)
        for share, penalty in penalties.items()
    }
    found = {0.0: dict.fromkeys(found[shares[0]], full), **found}
    title = f"Test {comparison.measure} by the share of zeros, three hidden layers of {WIDTH}"
    _table(comparison, comparison.title(title), found, of("test"))
    _table(comparison, "The file after gzip, kilobytes", found, _gzipped)
    rows = [
        [f"{share:.0%}", f"{penalty:.2g}", _zeros(found[share]["L1"]), networks.width(share)]
        for share, penalty in penalties.items()
    ]
    header = ["zeros asked for", "L1's penalty", "its zeros", "width of the dense network"]
    report.table("How they came to it", header, rows)
    _plot(comparison, found)
    report.close()


class Networks:
    """The networks that are compared.

    Args:
        comparison: What has the data and the length of the training.
    """

    def __init__(self, comparison: Comparison) -> None:
        self.comparison, data = comparison, comparison.data
        steps = math.ceil(len(data.x_train) / comparison.batch_size) * comparison.epochs
        self.begin, self.end = (round(fraction * steps) for fraction in RAMP)
        self.rate = kr.find_learning_rate(  # one for all, that of the network without zeros
            self.variant("full").build(comparison.seeds[0]),
            data.x_train,
            data.y_train,
            batch_size=comparison.batch_size,
        ).suggestion

    def of_share(self, share: float, penalty: float) -> list[Variant]:
        """Returns what is trained for a share of zeros, which L1 has with a penalty."""
        return [
            self._pruned("pruned", share, "model"),
            self._pruned("pruned, each layer alike", share, "layer"),
            self._lasso("L1", penalty),
            self.variant("dense of as many weights", hidden_units=(self.width(share),) * 3),
        ]

    def zeros_of(self, penalty: float) -> float:
        """Returns the share of zeros that an L1 penalty makes, the mean of the seeds."""
        lasso = self._lasso("L1", penalty)
        [outcomes] = self.comparison.run([lasso], max_learning_rate=self.rate).values()
        return statistics.mean(kr.sparsity(each.model).sparsity for each in outcomes)

    def width(self, share: float) -> int:
        """Returns that of the largest dense network with no more weights than a pruned one has."""
        data = self.comparison.data

        def count(width: int) -> tuple[int, int]:
            sizes = [math.prod(data.input_shape), *(width,) * 3, data.n_outputs]
            return sum(a * b for a, b in itertools.pairwise(sizes)), sum(sizes[1:])

        kernels, biases = count(WIDTH)
        left = round((1 - share) * kernels) + biases
        return max(width for width in range(1, WIDTH + 1) if sum(count(width)) <= left)

    def variant(
        self, name: str, callbacks: Sequence[keras.callbacks.Callback] = (), **keywords: Any
    ) -> Variant:
        """Returns a network, by the keywords of its builder."""

        def build(seed: int) -> keras.Model:
            settings = {"hidden_units": (WIDTH,) * 3, **keywords}
            return kr.build_default_dnn(**self.comparison.inputs(), seed=seed, **settings)

        return Variant(name, build, {"callbacks": callbacks})

    def _lasso(self, name: str, penalty: float) -> Variant:
        return self.variant(name, l1=penalty, exact_zeros=True)

    def _pruned(self, name: str, share: float, scope: str) -> Variant:
        pruning = kr.callbacks.MagnitudePruning(share, self.begin, self.end, scope=scope)
        return self.variant(name, [pruning])


def penalties_for(
    shares: Sequence[float], zeros_of: Callable[[float], float], within: float
) -> dict[float, float]:
    """Returns the L1 penalty that makes each share of zeros, found by interpolation.

    Args:
        shares: Of zeros, each in (0, 1).
        zeros_of: Trains with a penalty and returns the share of zeros.
        within: How near is near enough; after a number of trainings the nearest is taken.
    """
    tried = {penalty: zeros_of(penalty) for penalty in PENALTIES}
    found = {}
    for share in shares:
        for _ in range(MOST_TRIED):
            found[share] = min(tried, key=lambda penalty: abs(tried[penalty] - share))
            if abs(tried[found[share]] - share) <= within:
                break
            penalty = _between(tried, share)
            tried[penalty] = zeros_of(penalty)
    return found


def _between(tried: Mapping[float, float], share: float) -> float:
    """A penalty that should make a share of zeros, by those that were tried, or one beyond them."""
    zeros, penalties = np.sort(list(tried.values())), sorted(tried)
    if not zeros[0] < share < zeros[-1]:
        return penalties[-1] * BEYOND if share >= zeros[-1] else penalties[0] / BEYOND
    return math.exp(np.interp(_logit(share), _logit(zeros), np.log(penalties)))


def _logit(share: Any) -> Any:
    clipped = np.clip(share, 1e-3, 1 - 1e-3)
    return np.log(clipped / (1 - clipped))


def _table(
    comparison: Comparison, title: str, found: Found, cell: Callable[[Sequence[Outcome]], str]
) -> None:
    rows = [[f"{share:.0%}", *map(cell, each.values())] for share, each in found.items()]
    comparison.report.table(title, ["zeros", *found[0.0]], rows)


def _gzipped(outcomes: Sequence[Outcome]) -> str:
    sizes = [kr.sparsity(each.model).gzip_bytes for each in outcomes]
    return f"{statistics.mean(sizes) / 1000:.1f}"


def _zeros(outcomes: Sequence[Outcome]) -> str:
    return f"{statistics.mean(kr.sparsity(each.model).sparsity for each in outcomes):.1%}"


def _plot(comparison: Comparison, found: Found) -> None:
    axes = comparison.report.axes()
    if axes is None:
        return
    for name in found[0.0]:
        means = [statistics.mean(each.test for each in several[name]) for several in found.values()]
        axes.plot(range(len(found)), means, marker="o", label=name)
    axes.set(xlabel="share of zeros", ylabel=f"test {comparison.measure}")
    axes.set_xticks(range(len(found)), [f"{share:.0%}" for share in found])
    if comparison.measure == "accuracy":
        axes.set_ylim(bottom=max(axes.get_ylim()[0], 0.85))  # below it the smallest dense network
    axes.legend(fontsize="small")
    comparison.report.figure("accuracy", axes.figure)


if __name__ == "__main__":
    run(main)
