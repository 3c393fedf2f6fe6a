"""Checks of the arguments that optimizers share; Keras takes most of them unseen."""

from typing import Any

from keras.optimizers.schedules import LearningRateSchedule

from keras_recipes.checks import check_flag, check_integer, check_number

CLIPS = ("clipvalue", "clipnorm", "global_clipnorm")

# argument -> where it must lie, how to mend it
NUMBERS = {
    **dict.fromkeys(CLIPS, ("(0, inf)", "For no clipping pass None.")),
    "weight_decay": ("[0, inf)", "AdamW has 0.004."),
    "beta_2": ("[0, 1)", "The usual value is 0.999."),
    "epsilon": ("[0, inf)", "The usual value is 1e-7."),
    "ema_momentum": ("[0, 1]", "The usual value is 0.99."),
    "loss_scale_factor": ("(0, inf)", "For no scaling pass None."),
}
INTEGERS = {
    "gradient_accumulation_steps": ("[2, inf)", "For no accumulation pass None."),
    "ema_overwrite_frequency": ("[1, inf)", "To overwrite at the end of training pass None."),
}
FLAGS = ("nesterov", "amsgrad", "use_ema")
OPTIONAL = {*CLIPS, *INTEGERS, "weight_decay", "loss_scale_factor"}


def check_rate(learning_rate: Any) -> Any:
    """Returns `learning_rate`, a schedule or a number > 0, the number as a float."""
    if isinstance(learning_rate, LearningRateSchedule):
        return learning_rate
    return check_number("learning_rate", learning_rate, "(0, inf)", "Or pass a schedule.")


def check_momentum(name: str, momentum: Any) -> Any:
    """Returns `momentum`, a schedule or a number in [0, 1), the number as a float."""
    if isinstance(momentum, LearningRateSchedule):
        return momentum
    return check_number(name, momentum, "[0, 1)", "Or pass a schedule: OneCycleMomentum(...).")


def check_arguments(arguments: dict[str, Any]) -> dict[str, Any]:
    """Returns the keyword arguments of an optimizer; those unknown here are left to Keras."""
    checked = {name: _check(name, value) for name, value in arguments.items()}
    clips = {clip: checked[clip] for clip in CLIPS if checked.get(clip) is not None}
    if len(clips) > 1:
        raise ValueError(
            "At most one of `clipvalue`, `clipnorm` and `global_clipnorm` may be given. Received: "
            f"{', '.join(f'{clip}={bound}' for clip, bound in clips.items())}. Keep one."
        )
    return checked


def _check(name: str, value: Any) -> Any:
    if value is None and name in OPTIONAL:
        return None
    if name in NUMBERS:
        return check_number(name, value, *NUMBERS[name])
    if name in INTEGERS:
        return check_integer(name, value, *INTEGERS[name])
    return check_flag(name, value) if name in FLAGS else value
