import keras
from keras import layers

from keras_recipes.kernels import kernel_of, kernels_of, layers_with_kernels


def names(model):
    return [
        (layer.name, [kernel.name for kernel in kernels_of(layer)])
        for layer in layers_with_kernels(model)
    ]


def test_each_kernel_is_found_once():
    inputs = keras.Input((6, 4))
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True, name="lstm"))(inputs)
    x = layers.RNN([layers.GRUCell(3), layers.LSTMCell(2)], return_sequences=True, name="two")(x)
    x = layers.SeparableConv1D(3, 2, name="separable")(x)
    x = layers.SpectralNormalization(layers.Dense(4, name="bounded"))(x)
    x = layers.PReLU()(layers.BatchNormalization()(x))
    twice = layers.Dense(4, name="twice")
    model = keras.Model(inputs, keras.Sequential([twice, twice])(x))
    both = ["kernel", "recurrent_kernel"]
    assert names(model) == [
        ("forward_lstm", both),
        ("backward_lstm", both),
        ("two", both * 2),
        ("separable", ["depthwise_kernel", "pointwise_kernel"]),
        ("bounded", ["kernel"]),
        ("twice", ["kernel"]),
    ]


def test_what_is_trained_beside_a_kernel_or_scales_it_is_none():
    for change in (lambda layer: layer.enable_lora(2), lambda layer: layer.quantize("int8")):
        model = keras.Sequential([keras.Input((4,)), layers.Dense(8, name="dense")])
        change(model.layers[0])
        assert any(weight.name not in ("kernel", "bias") for weight in model.weights)
        assert names(model) == [("dense", ["kernel"])]


def test_the_kernel_of_a_layer_is_the_one_that_mixes_into_its_units():
    model = keras.Sequential(
        [
            keras.Input((8, 2)),
            layers.Conv1D(2, 3),
            layers.SeparableConv1D(4, 3),
            layers.DepthwiseConv1D(3),
            layers.LSTM(3),
            layers.BatchNormalization(),
        ]
    )
    conv, separable, depthwise, recurrent, norm = model.layers
    assert [kernel_of(each) for each in (conv, depthwise)] == [conv.kernel, depthwise.kernel]
    assert kernel_of(separable) is separable.pointwise_kernel
    assert kernel_of(recurrent.cell) is recurrent.cell.kernel
    assert kernel_of(norm) is None
