"""Graphs that are sound, and values that they must refuse or take."""

import numpy as np

from case import f32, i64, run

INT_MIN = -(2**63)
HUGE = 2**62

#===------------------------------------------------------------------------===#
# Inputs that are not the model's
#===------------------------------------------------------------------------===#

RELU = "(float[N,3] x, float[N,3] z) => (float[N,3] y) { y = Add (x, z) }"
run("input-missing", "WFT6002", ["'z'", "missing"], RELU, x=f32(2, 3), exit=2)
run("input-surplus", "WFT6002", ["no input 'q'"], RELU, x=f32(2, 3), z=f32(2, 3),
    q=f32(2), exit=2)
run("input-type", "WFT5203", ["\"x\"", "i64", "f32"], RELU, x=i64(1, 2), z=f32(2, 3))
run("input-rank", "WFT5204", ["\"x\"", "rank 1", "wanted 2"], RELU, x=f32(3), z=f32(2, 3))
run("input-size", "WFT5205", ["\"x\" dimension 1 is 4", "wanted 3"], RELU, x=f32(2, 4),
    z=f32(2, 3))
run("symbol-with-two-values", "WFT5207", ["\"N\"", "2", "\"x\"", "5", "\"z\""], RELU,
    x=f32(2, 3), z=f32(5, 3))
run("symbol-out-of-range", "WFT5206", ["\"N\"", "9", "1 to 4"], RELU,
    args=["--dim", "N=1:4"], x=f32(9, 3), z=f32(9, 3))
run("limits-of-nonsense", "WFT6001", ["'N=4:1'"], RELU, args=["--dim", "N=4:1"],
    x=f32(2, 3), z=f32(2, 3))
run("sizes-overflow", "WFT6003", ["'x'"], RELU,
    args=["--random", "--size", f"N={HUGE}"])
run("threads-negative", "WFT5001", ["-3 threads"], RELU,
    threads=-3, x=f32(2, 3), z=f32(2, 3))

#===------------------------------------------------------------------------===#
# Files of inputs that lie
#===------------------------------------------------------------------------===#


def npy(header, data=b"", version=b"\x01\x00", length=None):
    text = header.encode()
    size = len(text) if length is None else length
    return b"\x93NUMPY" + version + size.to_bytes(2, "little") + text + data


ONE = "(float[N] x) => (float[N] y) { y = Neg (x) }"
HEADER = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }\n"
for name, says, data in (
    ("empty", "no .npy file", b""),
    ("noise", "no .npy file", b"\x89PNG\r\n\x1a\n" + bytes(64)),
    ("header-cut", "ends within its header", npy(HEADER % "2,", length=60000)),
    ("no-shape", "header", npy("{'descr': '<f4', 'fortran_order': False}\n", bytes(8))),
    ("data-cut", "holds less than its shape says", npy(HEADER % "1000,", bytes(8))),
    ("negative", "shape", npy(HEADER % "-2,", bytes(8))),
    ("overflow", "shape", npy(HEADER % "4611686018427387904, 8", bytes(8))),
    ("long-number", "shape", npy(HEADER % "99999999999999999999999999,", bytes(8))),
    ("rank", "shape", npy(HEADER % ("1," * 40), bytes(8))),
    ("fortran", "C order", npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2,)}\n",
                               bytes(8))),
    ("objects", "type", npy("{'descr': '|O', 'fortran_order': False, 'shape': (2,)}\n",
                            bytes(16))),
    ("big-endian", "type", npy("{'descr': '>f4', 'fortran_order': False, 'shape': (2,)}\n",
                               bytes(8))),
    ("version", "version", npy(HEADER % "2,", bytes(8), version=b"\x09\x00")),
):  # fmt: skip
    run("npy-" + name, "WFT6004", ["x.npy'", says], ONE, x=data)
run("npy-is-missing", "WFT6004", ["none.npy'", "read"], ONE, args=["--input", "x={}/none.npy"])
run("npy-is-a-folder", "WFT6004", ["{}".format(""), "read"], ONE, args=["--input", "x={}"])

#===------------------------------------------------------------------------===#
# Indices and sizes that are data
#===------------------------------------------------------------------------===#


def index(name, op, says, graph, **inputs):
    run(name, "WFT5301", [f"node 'n' ({op})", *says], graph, **inputs)


GATHER = "(float[4,2] x, int64[K] i) => (float[K,2] y) { [n] y = Gather (x, i) }"
index("gather", "Gather", ["index 4", "size 4", "'x'", "'i'"], GATHER, x=f32(4, 2), i=i64(0, 4))
index("gather-negative", "Gather", ["index -5"], GATHER, x=f32(4, 2), i=i64(-5, 0))
index("gather-extreme", "Gather", [str(INT_MIN)], GATHER, x=f32(4, 2), i=i64(INT_MIN))
index("gather-of-nothing", "Gather", ["index 0", "size 0"],
      "(float[M,2] x, int64[K] i) => (float[K,2] y) { [n] y = Gather (x, i) }",
      x=f32(0, 2), i=i64(0))
index("gather-of-constants", "Gather", ["index 4"],
      "(float[1] x) => (float[1] y) <float[4] w = {1, 2, 3, 4}, int64[1] i = {4}> "
      "{ [n] a = Gather (w, i) y = Add (x, a) }", x=f32(1))
index("gather-late", "Gather", ["index 9"],
      "(float[4] x, int64[1] i) => (float[4] z, float[1] y) "
      "{ z = Neg (x) [n] a = Gather (z, i) y = Exp (a) }", x=f32(4), i=i64(9))
index("gather-fused", "Gather", ["index 9"],
      "(float[4] x, int64[1] i) => (float[1] y) "
      "{ a = Exp (x) [n] b = Gather (a, i) y = Tanh (b) }", x=f32(4), i=i64(9))
index("gather-elements", "GatherElements", ["index 3"],
      "(float[2,3] x, int64[2,1] i) => (float[2,1] y) { [n] y = GatherElements <axis = 1> (x, i) }",
      x=f32(2, 3), i=i64([0], [3]))
index("gather-nd", "GatherND", ["index 7"],
      "(float[2,3] x, int64[1,2] i) => (float[1] y) { [n] y = GatherND (x, i) }",
      x=f32(2, 3), i=i64([1, 7]))
index("scatter-elements", "ScatterElements", ["index -4"],
      "(float[2,3] x, int64[2,1] i, float[2,1] u) => (float[2,3] y) "
      "{ [n] y = ScatterElements <axis = 1> (x, i, u) }",
      x=f32(2, 3), i=i64([0], [-4]), u=f32(2, 1))
index("scatter-nd", "ScatterND", ["index 100"],
      "(float[4] x, int64[2,1] i, float[2] u) => (float[4] y) { [n] y = ScatterND (x, i, u) }",
      x=f32(4), i=i64([0], [100]), u=f32(2))
index("max-unpool", "MaxUnpool", ["index 99"],
      "(float[1,1,2,2] x, int64[1,1,2,2] i) => (float[1,1,4,4] y) "
      "{ [n] y = MaxUnpool <kernel_shape = [2, 2], strides = [2, 2]> (x, i) }",
      x=f32(1, 1, 2, 2), i=i64(0, 99, 8, 10).reshape(1, 1, 2, 2))
index("roi-align-batch", "RoiAlign", ["index 5"],
      "(float[1,1,4,4] x, float[1,4] r, int64[1] b) => (float[1,1,2,2] y) "
      "{ [n] y = RoiAlign <output_height = 2, output_width = 2> (x, r, b) }",
      x=f32(1, 1, 4, 4), r=np.array([[0, 0, 2, 2]], np.float32), b=i64(5))
index("loss-target", "NegativeLogLikelihoodLoss", ["index 7"],
      "(float[2,3] x, int64[2] t) => (float y) { [n] y = NegativeLogLikelihoodLoss (x, t) }",
      x=f32(2, 3), t=i64(0, 7))


def size(name, op, code, says, graph, **inputs):
    run(name, code, [f"node 'n' ({op})", *says], graph, **inputs)


size("matmul-of-symbols", "MatMul", "WFT5303", ["4", "5", "'x'", "'z'"],
     "(float[A,B] x, float[C,D] z) => (float[A,D] y) { [n] y = MatMul (x, z) }",
     x=f32(2, 4), z=f32(5, 7))
size("add-of-symbols", "Add", "WFT5303", ["2", "5"],
     "(float[A] x, float[B] z) => (float[C] y) { [n] y = Add (x, z) }", x=f32(2), z=f32(5))
size("concat-of-symbols", "Concat", "WFT5303", ["2", "5"],
     "(float[A,2] x, float[B,D] z) => (float[C,2] y) { [n] y = Concat <axis = 0> (x, z) }",
     x=f32(2, 2), z=f32(1, 5))
size("reshape-to-data", "Reshape", "WFT5303", ["6", "5"],
     "(float[2,3] x, int64[1] s) => (float[K] y) { [n] y = Reshape (x, s) }",
     x=f32(2, 3), s=i64(5))
size("expand-to-data", "Expand", "WFT5303", ["3", "4"],
     "(float[2,3] x, int64[2] s) => (float[J,K] y) { [n] y = Expand (x, s) }",
     x=f32(2, 3), s=i64(2, 4))
size("split-by-data", "Split", "WFT5303", ["4"],
     "(float[4] x, int64[2] s) => (float[J] y, float[K] z) { [n] y, z = Split (x, s) }",
     x=f32(4), s=i64(1, 2))
size("top-k-by-data", "TopK", "WFT5303", ["9", "4"],
     "(float[4] x, int64[1] k) => (float[J] y, int64[J] i) { [n] y, i = TopK (x, k) }",
     x=f32(4), k=i64(9))
size("squeeze-of-two", "Squeeze", "WFT5303", ["2"],
     "(float[A,3] x) => (float[3] y) <int64[1] a = {0}> { [n] y = Squeeze (x, a) }",
     x=f32(2, 3))
size("tile-negative-data", "Tile", "WFT5304", ["-2"],
     "(float[4] x, int64[1] r) => (float[K] y) { [n] y = Tile (x, r) }", x=f32(4), r=i64(-2))
size("pad-negative-data", "Pad", "WFT5304", ["-1"],
     "(float[4] x, int64[2] p) => (float[K] y) { [n] y = Pad (x, p) }", x=f32(4), p=i64(-3, -2))
size("shape-negative-data", "ConstantOfShape", "WFT5304", ["-7"],
     "(int64[1] s) => (float[K] y) { [n] y = ConstantOfShape (s) }", s=i64(-7))
size("scan-of-two-lengths", "Scan", "WFT5303", ["3", "4"],
     """(float[2] s, float[A,2] x, float[B,2] z) => (float[2] t, float[A,2] y) {
       [n] t, y = Scan <num_scan_inputs = 2, body = b (float[2] v, float[2] u, float[2] k) =>
         (float[2] w, float[2] q) { w = Add (v, u) q = Add (w, k) }> (s, x, z)
     }""", s=f32(2), x=f32(3, 2), z=f32(4, 2))

#===------------------------------------------------------------------------===#
# More memory than there is
#===------------------------------------------------------------------------===#


def memory(name, code, graph, **inputs):
    run(name, code, [], graph, **inputs)


memory("shape-of-huge-data", "WFT5211",
       "(int64[2] s) => (float[J,K] y) { [n] a = ConstantOfShape (s) y = Exp (a) }",
       s=i64(HUGE, HUGE))
memory("tile-by-huge-data", "WFT5305",
       "(float[4] x, int64[1] r) => (float[K] y) { a = Tile (x, r) y = CumSum (a, z) }"
       .replace("=> (float[K] y)", "=> (float[K] y) <int64 z = {0}>"),
       x=f32(4), r=i64(2**61 + 1))
memory("range-of-huge-data", "WFT5211",
       "(int64 a, int64 b) => (int64[K] y) <int64 d = {1}> { [n] r = Range (a, b, d) y = Neg (r) }",
       a=np.int64(0), b=np.int64(HUGE))
memory("outer-product-of-symbols", "WFT5211",
       "(float[A,0] x, float[0,B] z) => (float[A,B] y) { [n] y = MatMul (x, z) }",
       x=np.zeros((2**40, 0), np.float32),
       z=np.zeros((0, 2**40), np.float32))
memory("endless-loop-of-rows", "WFT5305",
       """(float[2] x, int64 m) => (float[2] y, float[K,2] z) {
         [n] y, z = Loop (m, , x) <body = b (int64 i, bool d, float[2] v) =>
           (bool e, float[2] w, float[2] u) { e = Identity (d) w = Neg (v) u = Abs (v) }>
       }""", x=f32(2), m=np.int64(2**62))
memory("loop-that-doubles", "WFT5305",
       """(float[N] x, int64 m) => (float[K] y) {
         [n] y = Loop (m, , x) <body = b (int64 i, bool d, float[J] v) =>
           (bool e, float[L] w) { e = Identity (d) w = Concat <axis = 0> (v, v) }>
       }""", x=f32(2), m=np.int64(80))

#===------------------------------------------------------------------------===#
# Arithmetic
#===------------------------------------------------------------------------===#

run("divide-by-zero", "", ["y: i32 [2]"],
    "(int32[2] x, int32[2] z) => (int32[2] y) { [n] y = Div (x, z) }",
    x=np.array([1, 2], np.int32), z=np.array([1, 0], np.int32))
run("remainder-by-zero", "", ["y: i64 [2]"],
    "(int64[2] x, int64[2] z) => (int64[2] y) { [n] y = Mod (x, z) }", x=i64(1, 2), z=i64(1, 0))
run("divide-least-by-minus-one", "", ["y: i64 [2]"],
    "(int64[2] x, int64[2] z) => (int64[2] y) { [n] y = Div (x, z) }",
    x=i64(INT_MIN, 4), z=i64(-1, 2))
run("remainder-of-least", "", ["y: i64 [2]"],
    "(int64[2] x, int64[2] z) => (int64[2] y) { [n] y = Mod (x, z) }",
    x=i64(INT_MIN, 4), z=i64(-1, 3))
run("nan-to-integer", "", ["y: i32 [4]"],
    "(float[4] x) => (int32[4] y) { y = Cast <to = 6> (x) }",
    x=np.array([np.nan, np.inf, -np.inf, 1e30], np.float32))
run("nan-as-index", "WFT5301", ["node 'n' (Gather)"],
    "(float[4] x, float[1] f) => (float[1] y) { i = Cast <to = 7> (f) [n] y = Gather (x, i) }",
    x=f32(4), f=np.array([np.nan], np.float32))
run("shift-beyond-width", "", ["y: ui8 [2]"],
    '(uint8[2] x, uint8[2] z) => (uint8[2] y) { y = BitShift <direction = "LEFT"> (x, z) }',
    x=np.array([1, 2], np.uint8), z=np.array([8, 200], np.uint8))

#===------------------------------------------------------------------------===#
# Odd, but right
#===------------------------------------------------------------------------===#


def works(name, says, graph, **inputs):
    run("works-" + name, "", says, graph, **inputs)


works("empty-batch", ["y: f32 [0, 3]"], RELU, x=f32(0, 3), z=f32(0, 3))
works("empty-matmul", ["y: f32 [0, 3]"],
      "(float[N,4] x, float[4,3] w) => (float[N,3] y) { y = MatMul (x, w) }",
      x=f32(0, 4), w=f32(4, 3))
works("matmul-over-nothing", ["y: f32 [2, 3]"],
      "(float[2,0] x, float[0,3] w) => (float[2,3] y) { y = MatMul (x, w) }",
      x=f32(2, 0), w=f32(0, 3))
works("empty-conv", ["y: f32 [0, 4, 6, 6]"],
      "(float[N,3,8,8] x, float[4,3,3,3] w) => (float[N,4,6,6] y) { y = Conv (x, w) }",
      x=f32(0, 3, 8, 8), w=f32(4, 3, 3, 3))
works("empty-softmax", ["y: f32 [0, 5]"],
      "(float[N,5] x) => (float[N,5] y) { y = Softmax (x) }", x=f32(0, 5))
works("sum-of-nothing", ["y: f32 [2]"],
      "(float[2,N] x) => (float[2] y) <int64[1] a = {1}> "
      "{ y = ReduceSum <keepdims = 0> (x, a) }", x=f32(2, 0))
works("concat-with-nothing", ["y: f32 [2]"],
      "(float[N] x, float[2] z) => (float[M] y) { y = Concat <axis = 0> (x, z) }",
      x=f32(0), z=f32(2))
works("slice-to-nothing", ["y: f32 [0]"],
      "(float[4] x, int64[1] b, int64[1] e) => (float[K] y) { y = Slice (x, b, e) }",
      x=f32(4), b=i64(3), e=i64(1))
works("slice-beyond-all", ["y: f32 [4]"],
      "(float[4] x, int64[1] b, int64[1] e) => (float[K] y) { y = Slice (x, b, e) }",
      x=f32(4), b=i64(INT_MIN), e=i64(2**63 - 1))
works("gather-nothing", ["y: f32 [0, 2]"], GATHER, x=f32(4, 2), i=np.zeros(0, np.int64))
works("one-hot-outside", ["y: f32 [3, 4]"],
      "(int64[3] x, int64 d, float[2] v) => (float[3,K] y) { y = OneHot (x, d, v) }",
      x=i64(0, 99, INT_MIN), d=np.int64(4), v=f32(2))
works("nonzero-of-zeros", ["y: i64 [1, 0]"],
      "(float[3] x) => (int64[1,K] y) { y = NonZero (x) }", x=np.zeros(3, np.float32))
works("loop-of-none", ["y: f32 [2]", "z: f32 [0, 2]"],
      """(float[2] x, int64 m) => (float[2] y, float[K,2] z) {
        [n] y, z = Loop (m, , x) <body = b (int64 i, bool d, float[2] v) =>
          (bool e, float[2] w, float[2] u) { e = Identity (d) w = Neg (v) u = Abs (v) }>
      }""", x=f32(2), m=np.int64(-5))
works("name-of-outer-graph", ["y: f32 [2]"],
      """(float[2] x, bool c) => (float[2] y) {
        y = If (c) <then_branch = t () => (float[2] x) { x = Abs (x) },
                    else_branch = e () => (float[2] b) { b = Abs (x) }>
      }""", x=f32(2), c=np.bool_(True))
works("stale-inner-size", ["y: f32 [2]"],
      "(float[2] x) => (float[2] y) <float[3] a> { a = Relu (x) y = Neg (a) }", x=f32(2))
index("grid-of-nan", "GridSample", [],
      "(float[1,1,3,3] x, float[1,1,2,2] g) => (float[1,1,1,2] y) { [n] y = GridSample (x, g) }",
      x=f32(1, 1, 3, 3), g=np.array([np.nan, 1e30, -np.inf, np.inf], np.float32).reshape(1, 1, 2, 2))
index("rois-of-nan", "RoiAlign", [],
      "(float[1,1,4,4] x, float[1,4] r, int64[1] b) => (float[1,1,2,2] y) "
      "{ [n] y = RoiAlign <output_height = 2, output_width = 2, sampling_ratio = 2> (x, r, b) }",
      x=f32(1, 1, 4, 4), r=np.array([[np.nan, -1e30, 1e30, np.inf]], np.float32), b=i64(0))
index("offsets-of-nan", "DeformConv", [],
      "(float[1,1,3,3] x, float[1,1,2,2] w, float[1,8,2,2] o) => (float[1,1,2,2] y) "
      "{ [n] y = DeformConv (x, w, o) }",
      x=f32(1, 1, 3, 3), w=f32(1, 1, 2, 2), o=np.full((1, 8, 2, 2), np.nan, np.float32))
