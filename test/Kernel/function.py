"""Builds functions of `weft` ops as text: the cases of the kernel tests."""

FLOATS = ("f64", "f32", "f16", "bf16")
TABLE = []


class Value:
    """An SSA value: its name, sizes (numbers, or names of symbols), element."""

    def __init__(self, name, shape, element):
        self.name, self.shape, self.element = name, list(shape), element

    @property
    def type(self):
        sizes = "".join(f"{'?' if isinstance(s, str) else s}x" for s in self.shape)
        return f"tensor<{sizes}{self.element}>"

    @property
    def rank(self):
        return len(self.shape)


class Function:
    """One case. `sizes` are values of the symbols, a run for each; `exact`, `bound`
    and `magnitude` are told of in tools/weft-test-kernels/Case.h."""

    def __init__(self, name, sizes=None, exact=False, bound=None, magnitude=None):
        self.name = "".join(c if c.isalnum() or c in "_." else "_" for c in name)
        self.sizes, self.exact, self.bound, self.magnitude = sizes, exact, bound, magnitude
        self.arguments, self.lines, self.count = [], [], 0
        self.dims = {}

    def fresh(self):
        self.count += 1
        return f"%{self.count - 1}"

    def arg(self, shape, element="f32", range=None, special=False):
        value = Value(f"%arg{len(self.arguments)}", shape, element)
        attrs = []
        if any(isinstance(s, str) for s in shape):
            names = ", ".join(f'"{s}"' if isinstance(s, str) else '""' for s in shape)
            attrs.append(f"weft.dims = [{names}]")
        if range:
            attrs.append(f"test.range = [{range[0]}, {range[1]}]")
        if special:
            attrs.append("test.special")
        self.arguments.append((value, attrs))
        for dim, size in enumerate(shape):
            if isinstance(size, str):
                self.dims.setdefault(size, (value, dim))
        return value

    def op(self, text, shape, element):
        """A line `%n = text`."""
        value = Value(self.fresh(), shape, element)
        self.lines.append(f"{value.name} = {text}")
        return value

    def index(self, number):
        name = self.fresh()
        self.lines.append(f"{name} = arith.constant {number} : index")
        return name

    def size(self, symbol):
        """The value of a symbol, as an `index` value; "2*N" works as well."""
        factor, _, symbol = symbol.rpartition("*")
        value, dim = self.dims[symbol]
        at, name = self.index(dim), self.fresh()
        self.lines.append(f"{name} = tensor.dim {value.name}, {at} : {value.type}")
        if not factor:
            return name
        by, scaled = self.index(int(factor)), self.fresh()
        self.lines.append(f"{scaled} = arith.muli {name}, {by} : index")
        return scaled

    def symbols(self, shape):
        """The clause that gives the symbolic sizes of a result."""
        names = [self.size(s) for s in shape if isinstance(s, str)]
        return f" sizes({', '.join(names)})" if names else ""

    # Elementwise

    def constant(self, number, shape=(), element="f32"):
        value = Value(self.fresh(), shape, element)
        if element[0] in "fb" and not isinstance(number, list):
            number = float(number)
        self.lines.append(
            f"{value.name} = weft.constant dense<{number}> : {value.type}")
        return value

    def unary(self, name, x):
        return self.op(f"weft.{name} {x.name} : {x.type}", x.shape, x.element)

    def binary(self, name, a, b):
        return self.op(f"weft.{name} {a.name}, {b.name} : {a.type}", a.shape, a.element)

    def compare(self, how, a, b):
        return self.op(f"weft.compare {how} {a.name}, {b.name} : {a.type}", a.shape, "i1")

    def select(self, c, a, b):
        return self.op(f"weft.select {c.name}, {a.name}, {b.name} : {c.type}, {a.type}",
                       a.shape, a.element)

    def cast(self, x, element, saturate=False):
        to = Value("", x.shape, element)
        return self.op(f"weft.cast {x.name}{' saturate' * saturate} : {x.type} to {to.type}",
                       x.shape, element)

    def broadcast(self, x, dims, shape):
        to = Value("", shape, x.element)
        sizes = self.symbols(shape)
        return self.op(f"weft.broadcast {x.name} dims {list(dims)}{sizes} : {x.type} to {to.type}",
                       shape, x.element)

    def splat(self, number, like):
        return self.broadcast(self.constant(number, (), like.element), [], like.shape)

    # Movement

    def reshape(self, x, shape):
        to = Value("", shape, x.element)
        sizes = self.symbols(shape)
        return self.op(f"weft.reshape {x.name}{sizes} : {x.type} to {to.type}", shape, x.element)

    def transpose(self, x, permutation):
        return self.op(f"weft.transpose {x.name} {list(permutation)} : {x.type}",
                       [x.shape[i] for i in permutation], x.element)

    def slice(self, x, offsets, sizes, strides):
        to = Value("", sizes, x.element)
        names = [self.size(s) if isinstance(s, str) else str(s) for s in sizes]
        return self.op(f"weft.slice {x.name} {list(offsets)} [{', '.join(names)}] {list(strides)}"
                       f" : {x.type} to {to.type}", sizes, x.element)

    def concat(self, values, axis):
        shape = list(values[0].shape)
        shape[axis] = (sum(v.shape[axis] for v in values)
                       if all(isinstance(v.shape[axis], int) for v in values) else "sum")
        names = ", ".join(v.name for v in values)
        types = ", ".join(v.type for v in values)
        to = Value("", shape, values[0].element)
        return self.op(f"weft.concat {names} axis {axis} : ({types}) -> {to.type}",
                       shape, values[0].element)

    def pad(self, x, value, low, high, interior=None):
        shape = [s + l + h + max(s - 1, 0) * i if isinstance(s, int) else (s if l + h + i == 0 else s + "+")
                 for s, l, h, i in zip(x.shape, low, high, interior or [0] * len(low))]
        to = Value("", shape, x.element)
        between = f" interior {list(interior)}" if interior else ""
        return self.op(f"weft.pad {x.name}, {value.name} low {list(low)} high {list(high)}{between}"
                       f" : {x.type}, {value.type} to {to.type}", shape, x.element)

    # Structured

    def reduce(self, kind, x, axes):
        shape = [s for i, s in enumerate(x.shape) if i not in axes]
        return self.op(f"weft.reduce {kind} {x.name} axes {list(axes)} : {x.type}",
                       shape, x.element)

    def softmax(self, x, axis):
        return self.op(f"weft.softmax {x.name} axis {axis} : {x.type}", x.shape, x.element)

    def normalize(self, x, axes, epsilon=1e-5, rms=False):
        return self.op(f"weft.normalize {x.name} axes {list(axes)} epsilon {epsilon:.1e}"
                       f"{' rms' * rms} : {x.type}", x.shape, x.element)

    @staticmethod
    def begins(init):
        return f" init({init.name} : {init.type})" if init else ""

    def contract(self, a, b, batch=((), ()), contract=((), ()), element=None, init=None):
        free = [s for i, s in enumerate(a.shape) if i not in batch[0] and i not in contract[0]]
        free += [s for i, s in enumerate(b.shape) if i not in batch[1] and i not in contract[1]]
        shape = [a.shape[i] for i in batch[0]] + free
        to = Value("", shape, element or a.element)
        return self.op(
            f"weft.contract {a.name}, {b.name}{self.begins(init)} batch {list(batch[0])} x {list(batch[1])} contract"
            f" {list(contract[0])} x {list(contract[1])} : {a.type}, {b.type} -> {to.type}",
            shape, to.element)

    def matmul(self, a, b, transpose_a=False, transpose_b=False):
        """Products of the last two dimensions; the others are a batch."""
        outer = list(range(a.rank - 2)) if b.rank == a.rank else []
        return self.contract(
            a, b, (outer, outer),
            ([a.rank - (2 if transpose_a else 1)], [b.rank - (1 if transpose_b else 2)]))

    def conv(self, x, w, strides=None, low=None, high=None, input_dilation=None,
             filter_dilation=None, groups=1, element=None):
        shape, text = self.window_of(x, w.shape, strides, low, high, input_dilation,
                                     filter_dilation)
        to = Value("", shape, element or x.element)
        return self.op(f"weft.conv {x.name}, {w.name} {text} groups {groups} : {x.type}, {w.type}"
                       f" -> {to.type}", shape, to.element)

    @staticmethod
    def window_of(x, w, strides=None, low=None, high=None, input_dilation=None,
                  filter_dilation=None):
        """The shape of the convolution of x by a filter of shape w, and its attributes."""
        n = x.rank - 2
        strides, low, high = strides or [1] * n, low or [0] * n, high or [0] * n
        idil, fdil = input_dilation or [1] * n, filter_dilation or [1] * n
        shape = [x.shape[0], w[0]]
        for i in range(n):
            size, taps = x.shape[2 + i], w[2 + i]
            if isinstance(size, str):
                shape.append(f"conv{i}")
                continue
            wide = (size - 1) * idil[i] + 1 if size else 0
            shape.append((wide + low[i] + high[i] - fdil[i] * (taps - 1) - 1) // strides[i] + 1)
        return shape, (f"strides {strides} low {low} high {high} input_dilation {idil}"
                       f" filter_dilation {fdil}")

    def conv_filter(self, x, g, w, groups=1, element=None, init=None, **arguments):
        """The gradient of a filter of shape w."""
        to = Value("", w, element or x.element)
        text = self.window_of(x, w, **arguments)[1]
        return self.op(f"weft.conv_filter {x.name}, {g.name}{self.begins(init)} {text} groups {groups}"
                       f" : {x.type}, {g.type} -> {to.type}", w, to.element)

    def window(self, name, kind, x, window, strides=None, low=None, high=None, dilations=None):
        n = x.rank
        strides, dilations = strides or [1] * n, dilations or [1] * n
        low, high = low or [0] * n, high or [0] * n
        shape = []
        for i in range(n):
            size = x.shape[i]
            if isinstance(size, str):
                shape.append(size if window[i] == strides[i] == 1 else f"win{i}")
                continue
            span = dilations[i] * (window[i] - 1) + 1
            shape.append((size + low[i] + high[i] - span) // strides[i] + 1)
        return self.op(
            f"weft.{name} {kind} {x.name} window {list(window)} strides {strides} low {low} high"
            f" {high} dilations {dilations} : {x.type}",
            shape, "i64" if name.startswith("arg") else x.element)

    def spread(self, g, positions, shape, window, strides=None, low=None, high=None, dilations=None):
        n = g.rank
        ones, zeros = [1] * n, [0] * n
        at, types = (f" at {positions.name}", f", {positions.type}") if positions else ("", "")
        to = Value("", shape, g.element)
        return self.op(
            f"weft.spread_window {g.name}{at} window {list(window)} strides {strides or ones} low"
            f" {low or zeros} high {high or zeros} dilations {dilations or ones}"
            f"{self.symbols(shape)} : {g.type}{types} -> {to.type}", shape, g.element)

    def ret(self, *values):
        """Ends the function and adds it to the table."""
        arguments = ", ".join(
            f"{v.name}: {v.type}" + (f" {{{', '.join(a)}}}" if a else "")
            for v, a in self.arguments)
        types = ", ".join(v.type for v in values)
        attrs = []
        if self.exact:
            attrs.append("test.exact")
        if self.bound is not None:
            attrs.append(f"test.bound = {self.bound:.1e} : f64")
        if self.magnitude is not None:
            attrs.append(f"test.magnitude = {self.magnitude:.1e} : f64")
        if self.sizes:
            runs = ", ".join("{" + ", ".join(f"{k} = {v}" for k, v in run.items()) + "}"
                             for run in self.sizes)
            attrs.append(f"test.sizes = [{runs}]")
        clause = f" attributes {{{', '.join(attrs)}}}" if attrs else ""
        names = ", ".join(v.name for v in values)
        body = "\n".join(f"  {line}" for line in self.lines)
        TABLE.append((self.name, f"func.func @{self.name}({arguments}) -> ({types}){clause} {{\n"
                                 f"{body}\n  return {names} : {types}\n}}\n"))
