"""What the benchmarks time epochs with."""

import time

import keras


class EpochTimes(keras.callbacks.Callback):
    """Seconds of each epoch, from its first hook to its last; tracing is part of the first."""

    def on_train_begin(self, logs=None):
        self.seconds = []
        self.start = time.perf_counter()

    def on_epoch_begin(self, epoch, logs=None):
        if epoch:
            self.start = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.ended = time.perf_counter()
        self.seconds.append(self.ended - self.start)
