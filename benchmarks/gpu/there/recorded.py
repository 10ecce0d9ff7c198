"""Inputs of the corpus that are made again instead of carried along."""

from __future__ import annotations

import math

import numpy as np
import weftrt

STATE_WORDS = 312  # of std::mt19937_64


def random_words(state: np.ndarray, count: int) -> np.ndarray:
    """What a std::mt19937_64 in this state gives.

    Nishimura, "Tables of 64-bit Mersenne Twisters", ACM TOMACS 10 (4), 2000.
    """
    half = STATE_WORDS // 2
    upper, lower, one = np.uint64(0xFFFFFFFF80000000), np.uint64(0x7FFFFFFF), np.uint64(1)

    def twist(first, second, third):
        mixed = (first & upper) | (second & lower)
        return third ^ (mixed >> one) ^ (mixed & one) * np.uint64(0xB5026F5AA96619E9)

    blocks = [state[:0]]
    for _ in range(-(-count // STATE_WORDS)):
        new = np.empty_like(state)
        new[:half] = twist(state[:half], state[1 : half + 1], state[half:])
        new[half:-1] = twist(state[half:-1], state[half + 1 :], new[: half - 1])
        new[-1:] = twist(state[-1:], new[:1], new[half - 1 : half])
        blocks.append(new)
        state = new
    words = np.concatenate(blocks)[:count]
    words ^= (words >> np.uint64(29)) & np.uint64(0x5555555555555555)
    words ^= (words << np.uint64(17)) & np.uint64(0x71D67FFFEDA60000)
    words ^= (words << np.uint64(37)) & np.uint64(0xFFF7EEE000000000)
    words ^= words >> np.uint64(43)
    return words


def random_input(entry: dict, state: np.ndarray) -> np.ndarray:
    """An input as RandomSource of weft-test-kernels tells it."""
    units = (random_words(state, math.prod(entry["dims"])) >> np.uint64(11)) * 2.0**-53
    low, high, code = entry["low"], entry["high"], entry["type"]
    dtype = weftrt.dtype_of(code)
    if code == weftrt.BF16:
        # The nearest number of 7 bits behind the point, the even one of two.
        bits = (low + (high - low) * units).view(np.uint64)
        bits += np.uint64((1 << 44) - 1) + ((bits >> np.uint64(45)) & np.uint64(1))
        values = (bits >> np.uint64(45) << np.uint64(45)).view(np.float64).astype(np.float32)
        values = (values.view(np.uint32) >> 16).astype(np.uint16)
    elif np.issubdtype(dtype, np.floating):
        values = (low + (high - low) * units).astype(dtype)
    else:
        values = np.floor(low + (high - low + 1) * units).astype(dtype)
    return values.reshape(entry["dims"])
