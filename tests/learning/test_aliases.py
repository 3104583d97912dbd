"""Tensors that share the memory of NumPy arrays."""

import mmap

import numpy as np
import pytest
import tensorflow as tf

from paac_cli.learning.aliases import TensorAliases


@pytest.fixture
def array():
    """[16] float32 in memory that TensorFlow can alias."""
    return np.frombuffer(mmap.mmap(-1, 4096), np.float32, 16)


@pytest.fixture
def with_gpu(monkeypatch):
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: ["GPU"] if kind == "GPU" else [])


def test_a_tensor_follows_its_array_and_is_made_once_on_a_cpu(array):
    alias = TensorAliases()
    tensor = alias(array)
    array[:] = 3.0
    assert alias(array) is tensor
    np.testing.assert_array_equal(tensor.numpy(), array)


def test_on_a_gpu_every_call_makes_a_tensor_that_has_no_copy_there_yet(array, with_gpu):
    alias = TensorAliases()
    tensor = alias(array)
    array[:] = 3.0
    assert alias(array) is not tensor
    np.testing.assert_array_equal(alias(array).numpy(), array)


def test_an_array_that_tensorflow_cannot_alias_is_copied(array):
    alias = TensorAliases()
    tensor = alias(array[1:])
    array[:] = 3.0
    np.testing.assert_array_equal(tensor.numpy(), np.zeros(15))
    np.testing.assert_array_equal(alias(array[1:]).numpy(), array[1:])
