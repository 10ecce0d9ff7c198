"""Prints random graphs of `weft` ops for weft-test-kernels, one for each seed.

    graphs.py [--first SEED] [--count N]

A graph is called after its seed, so that `--first SEED --count 1` prints a graph
that failed once more. All ops are smooth enough for the results in f64 to be
near those in the graph's own type.
"""

import argparse
import pathlib
import random
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "Kernel"))
from function import TABLE, Function  # noqa: E402

SIZES = (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33)
# Ten ops in a row lose more than one, and f16 has little to lose.
BOUNDS = {"f32": 1e-10, "f64": 1e-22, "f16": 1e-3, "bf16": 3e-2}


class Graph:
    def __init__(self, seed):
        self.random = random.Random(seed)
        pick = self.random.choice
        self.element = pick(("f32", "f32", "f32", "f32", "f64", "f16", "bf16"))
        self.symbolic = self.random.random() < 0.4
        sizes = [{"N": pick(SIZES)} for _ in range(2)] if self.symbolic else None
        self.f = Function(f"graph_{seed}", sizes=sizes, bound=BOUNDS[self.element],
                          magnitude=1)
        self.values, self.used = [], set()
        for _ in range(pick((1, 2, 3))):
            shape = [pick(SIZES) for _ in range(pick((1, 2, 2, 3, 3, 4)))]
            if self.symbolic:
                shape[0] = "N"
            self.keep(self.f.arg(shape, self.element))
        self.used.clear()

    def keep(self, value):
        if isinstance(value.rank, int) and value.rank <= 5:
            self.values.append(value)

    def take(self, rank=0):
        """A value, one of the latest rather than an early one."""
        fitting = [v for v in self.values if v.rank >= rank]
        if not fitting:
            return None
        value = self.random.choice(fitting[-4:])
        self.used.add(value.name)
        return value

    def axis(self, x, static=False):
        axes = [i for i, s in enumerate(x.shape) if not static or isinstance(s, int)]
        return self.random.choice(axes) if axes else None

    # Each step maps a value to another, or to None where it does not fit.

    def step_unary(self, x):
        return self.f.unary(self.random.choice(("tanh", "logistic", "neg", "abs", "sin", "erf")), x)

    def step_exp(self, x):
        return self.f.unary("exp", self.f.unary("tanh", x))

    def step_binary(self, x):
        others = [v for v in self.values if v.shape == x.shape]
        other = self.random.choice(others)
        self.used.add(other.name)
        # Products are tamed, so that values stay near one.
        name = self.random.choice(("add", "sub", "mul", "max", "min"))
        return self.f.binary(name, x, self.f.unary("tanh", other) if name == "mul" else other)

    def step_div(self, x):
        return self.f.binary("div", x, self.f.binary("add", self.f.binary("mul", x, x), self.f.splat(1, x)))

    def step_bias(self, x):
        axis = self.axis(x, static=True)
        if axis is None:
            return None
        bias = self.f.arg([x.shape[axis]], self.element)
        return self.f.binary("add", x, self.f.broadcast(bias, [axis], x.shape))

    def step_select(self, x):
        c = self.f.arg(x.shape, "i1")
        return self.f.select(c, x, self.f.splat(0.5, x))

    def step_reduce(self, x):
        axes = sorted(self.random.sample(range(x.rank), self.random.randint(1, x.rank)))
        kind = self.random.choice(("max", "min", "sum"))
        if kind != "sum":
            # Of a size that may be zero there is none.
            return self.f.reduce(kind, x, axes)
        return self.f.unary("tanh", self.f.reduce(kind, x, axes))

    def step_softmax(self, x):
        return self.f.softmax(x, self.axis(x)) if x.rank else None

    def step_normalize(self, x):
        axis = self.axis(x)
        return self.f.normalize(x, [axis], 0.1, rms=self.random.random() < 0.3) if x.rank else None

    def step_reduce_back(self, x):
        """What softmax and normalisations are made of."""
        if not x.rank:
            return None
        axis = self.axis(x)
        most = self.f.reduce("max", x, [axis])
        return self.f.binary("sub", x, self.f.broadcast(
            most, [i for i in range(x.rank) if i != axis], x.shape))

    def step_transpose(self, x):
        return self.f.transpose(x, self.random.sample(range(x.rank), x.rank))

    def step_slice(self, x):
        axis = self.axis(x, static=True)
        if axis is None:
            return None
        size = self.random.randint(1, x.shape[axis])
        offset = self.random.randint(0, x.shape[axis] - size)
        sizes, offsets = list(x.shape), [0] * x.rank
        sizes[axis], offsets[axis] = size, offset
        return self.f.slice(x, offsets, sizes, [1] * x.rank)

    def step_reverse(self, x):
        axis = self.axis(x, static=True)
        if axis is None:
            return None
        offsets, strides = [0] * x.rank, [1] * x.rank
        offsets[axis], strides[axis] = x.shape[axis] - 1, -1
        return self.f.slice(x, offsets, x.shape, strides)

    def step_concat(self, x):
        axis = self.axis(x, static=True)
        if axis is None or x.shape[axis] > 33:
            return None
        return self.f.concat([x, self.f.unary("tanh", x), x][:self.random.choice((2, 3))], axis)

    def step_pad(self, x):
        axis = self.axis(x, static=True)
        if axis is None:
            return None
        low, high = [0] * x.rank, [0] * x.rank
        low[axis], high[axis] = self.random.randint(0, 2), self.random.randint(0, 3)
        return self.f.pad(x, self.f.constant(0.5, (), self.element), low, high)

    def step_reshape(self, x):
        if x.rank < 2 or not all(isinstance(s, int) for s in x.shape[-2:]):
            return None
        return self.f.reshape(x, x.shape[:-2] + [x.shape[-2] * x.shape[-1]])

    def step_gather(self, x):
        axis = self.axis(x, static=True)
        if axis is None:
            return None
        size = x.shape[axis]
        i = self.f.arg([self.random.choice(SIZES)], "i64", (-size, size - 1))
        shape = x.shape[:axis] + i.shape + x.shape[axis + 1:]
        return self.f.op(f"weft.gather {x.name}, {i.name} axis {axis} : {x.type}, {i.type}", shape, self.element)

    def step_cumulative(self, x):
        if not x.rank:
            return None
        return self.f.unary("tanh", self.f.op(
            f"weft.cumulative sum {x.name} axis {self.axis(x)} : {x.type}", x.shape, self.element))

    def step_matmul(self, x):
        if not x.rank or not isinstance(x.shape[-1], int):
            return None
        k, n = x.shape[-1], self.random.choice(SIZES)
        scale = 1.5 / k ** 0.5
        turned = self.random.random() < 0.5
        w = self.f.arg([n, k] if turned else [k, n], self.element, (-scale, scale))
        return self.f.contract(x, w, contract=([x.rank - 1], [1 if turned else 0]))

    def step_scores(self, x):
        """A product of two computed tensors with a batch."""
        if x.rank != 3 or not isinstance(x.shape[2], int):
            return None
        y = self.f.contract(x, self.f.unary("tanh", x), ([0], [0]), ([2], [2]))
        return self.f.softmax(y, 2)

    def step_conv(self, x):
        if x.rank not in (3, 4) or not all(isinstance(s, int) for s in x.shape[1:]):
            return None
        channels, spatial = x.shape[1], x.rank - 2
        taps = [self.random.choice((1, 2, 3)) for _ in range(spatial)]
        groups = self.random.choice([g for g in (1, channels) if g <= 33])
        outputs = groups if groups > 1 else self.random.choice(SIZES)
        scale = 1.5 / (channels // groups) ** 0.5 / 2
        w = self.f.arg([outputs, channels // groups] + taps, self.element, (-scale, scale))
        strides = [self.random.choice((1, 1, 2)) for _ in range(spatial)]
        low, high = taps and [t // 2 for t in taps], [t - 1 for t in taps]
        return self.f.conv(x, w, strides=strides, low=low, high=high, groups=groups)

    def step_pool(self, x):
        if x.rank not in (3, 4) or not all(isinstance(s, int) and s >= 2 for s in x.shape[2:]):
            return None
        window = [1, 1] + [2] * (x.rank - 2)
        y = self.f.window("reduce_window", self.random.choice(("max", "sum")), x, window,
                          strides=[1, 1] + [self.random.choice((1, 2)) for _ in window[2:]])
        return self.f.binary("mul", y, self.f.splat(0.5, y))

    def build(self):
        steps = [getattr(self, n) for n in dir(self) if n.startswith("step_")]
        for _ in range(self.random.randint(4, 12)):
            x = self.take(1)
            y = self.random.choice(steps)(x) if x else None
            if y is not None and all(isinstance(s, str) or s <= 600 for s in y.shape):
                self.keep(y)
        # What nothing uses is a result, and now and then what something uses.
        computed = [v for v in self.values if not v.name.startswith("%arg")]
        results = [v for v in computed if v.name not in self.used or self.random.random() < 0.2]
        self.f.ret(*(results or self.values[-1:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first", type=int, default=0, help="seed of the first graph")
    parser.add_argument("--count", type=int, default=100, help="number of graphs")
    options = parser.parse_args()
    for seed in range(options.first, options.first + options.count):
        Graph(seed).build()
    print("\n".join(text for _, text in TABLE))


if __name__ == "__main__":
    main()
