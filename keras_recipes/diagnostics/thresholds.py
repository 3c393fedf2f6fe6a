"""The numbers from which on something is wrong with a network, and why it is these."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Threshold:
    """A number from which on something is wrong, and why it is this one."""

    value: float
    reason: str


# Healthy here: ELU or ReLU with He, SELU with LeCun, and batch-normalized networks of 2 to 50 layers
# as they are initialized, ten of each; benchmarks/results/diagnosis.md has what they show.
THRESHOLDS = {
    "vanishing rate": Threshold(
        0.9,
        "Factor a layer. Sigmoids have at most 0.25 (their slope), ReLU with 0.8 of He's deviation "
        "0.8; healthy networks of 50 layers over 0.98.",
    ),
    "vanishing factor": Threshold(
        1e-2, "From the last hidden layer to the first: less is no obstacle to learning."
    ),
    "exploding rate": Threshold(
        1.5,
        "Factor a layer. Batch-normalized ReLU has 1.21 by nature (Yang et al., 2019, "
        "arXiv:1902.08129), which it bears; weights of twice He's deviation have 2.",
    ),
    "exploding factor": Threshold(
        1e2, "From the last hidden layer to the first, or of the activations forward."
    ),
    "growth": Threshold(
        2.5,
        "Factor of the activations' size in one layer, in a network's first step. Initializers that "
        "go with the activation come to 1.8, linear layers of thrice LeCun's deviation to 2.9 and "
        "more. Not after it: networks trained well come to 11.",
    ),
    "dead": Threshold(
        0.8,
        "Share of a layer's units. In healthy ReLU networks of 50 layers it comes to over half by "
        "chance, as their signals grow alike.",
    ),
    "saturated": Threshold(
        0.5, "Share of a layer's activations: most of them hardly pass a gradient."
    ),
    "mean": Threshold(
        0.5,
        "SELU's fixed point is at 0, the theorem's domain within 0.1 (Klambauer et al., 2017, "
        "arXiv:1706.02515); trained networks come to 0.2.",
    ),
    "deviation": Threshold(
        1.25,
        "Factor from 1, SELU's fixed point, in the first layer: the theorem's domain ends at a "
        "variance of 1.5. He's weights give 1.3, inputs that are not scaled far more.",
    ),
    "weight norm": Threshold(
        1.2,
        "Of SELU's units, in a network's first step: its fixed point is that of 1, which LeCun's "
        "weights come to within 0.05. He's have 1.41.",
    ),
    "later deviation": Threshold(1.7, "Factor from 1 in later layers, in a network's first step."),
    "trained mean": Threshold(
        1.5, "After the first step: those of networks trained well, with dropout too, come to 0.9."
    ),
    "trained deviation": Threshold(
        4.0, "The same, factor from 1: those of networks trained well come to 3.2."
    ),
    "update": Threshold(
        0.5,
        "Of a kernel's norm, in one step: it keeps little of what was learned. A thousandth is "
        "usual, and networks trained well come to 0.05. Not where the outputs are normalized: the scale "
        "of the kernel does not count, and ReLU of 50 layers begins with 1.",
    ),
}
