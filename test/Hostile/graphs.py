"""Graphs that mean nothing: wrong names, operators, attributes, sizes, types."""

from case import check

#===------------------------------------------------------------------------===#
# Names and order
#===------------------------------------------------------------------------===#

check("cycle", "WFT1003", ["(Add) that makes 'a'", "input #1 is 'b'", "cycle"],
      "(float[2] x) => (float[2] y) { a = Add (x, b) b = Neg (a) y = Neg (b) }")
check("self-cycle", "WFT1003", ["(Add) that makes 'a'", "'a'", "cycle"],
      "(float[2] x) => (float[2] y) { a = Add (x, a) y = Neg (a) }")
check("undefined-input", "WFT1003", ["node 'n' (Neg)", "'nowhere'", "nothing makes"],
      "(float[2] x) => (float[2] y) { [n] y = Neg (nowhere) }")
check("undefined-output", "WFT1003", ["output 'z' of the graph", "made by no node"],
      "(float[2] x) => (float[2] z) { y = Neg (x) }")
check("two-of-one-name", "WFT1003", ["two values of the graph", "'y'"],
      "(float[2] x) => (float[2] y) { y = Neg (x) y = Abs (x) }")
check("input-twice", "WFT1003", ["'x'"],
      "(float[2] x, float[2] x) => (float[2] y) { y = Neg (x) }")
check("initializer-twice", "WFT1003", ["two values of the graph", "'w'"],
      "(float[2] x) => (float[2] y) <float[1] w = {1}, float[1] w = {2}> { y = Add (x, w) }")
check("output-is-input", "WFT1003", ["two values of the graph", "'x'"],
      "(float[2] x) => (float[2] x) { x = Neg (x) }")
check("inner-name-outside", "WFT1003", ["node 'n' (Neg)", "'a'", "nothing makes"],
      """(float[2] x, bool c) => (float[2] y) {
        z = If (c) <then_branch = t () => (float[2] a) { a = Neg (x) },
                    else_branch = e () => (float[2] b) { b = Abs (x) }>
        [n] y = Neg (a)
      }""")

#===------------------------------------------------------------------------===#
# Operators and their versions
#===------------------------------------------------------------------------===#

GRAPH = "(float[2] x) => (float[2] y) { [n] y = Relu (x) }"
check("opset-too-new", "WFT1004", ["version 99", "'ai.onnx'", "1 to 28"], GRAPH,
      '<ir_version: 10, opset_import: ["" : 99]>\n')
check("opset-zero", "WFT1004", ["version 0", "'ai.onnx'"], GRAPH,
      '<ir_version: 10, opset_import: ["" : 0]>\n')
check("opset-none", "WFT1004", ["no operator set"], GRAPH,
      "<ir_version: 10, opset_import: []>\n")
check("opset-twice", "WFT1004", ["'ai.onnx'", "twice"], GRAPH,
      '<ir_version: 10, opset_import: ["" : 20, "ai.onnx" : 21]>\n')
check("format-too-new", "WFT1004", ["version 99", "format"], GRAPH,
      '<ir_version: 99, opset_import: ["" : 20]>\n')
check("opset-before-operator", "WFT1004", ["node 'n' (Gelu)", "version 13"],
      "(float[2] x) => (float[2] y) { [n] y = Gelu (x) }",
      '<ir_version: 10, opset_import: ["" : 13]>\n')
check("opset-not-convertible", "WFT1007", ["node 'n' (Add)", "version 6"],
      "(float[2,3] x, float[] b) => (float[2,3] y) "
      "{ [n] y = Add <axis: int = 0, broadcast: int = 1> (x, b) }",
      '<ir_version: 3, opset_import: ["" : 6]>\n')
check("operator-unknown", "WFT1004", ["node 'n' (Conw)", "no such operator"],
      "(float[2] x) => (float[2] y) { [n] y = Conw (x) }")
check("domain-unknown", "WFT1004", ["node 'n' (com.acme.Magic)", "'com.acme'"],
      "(float[2] x) => (float[2] y) { [n] y = com.acme.Magic (x) }",
      '<ir_version: 10, opset_import: ["" : 28, "com.acme" : 1]>\n')
check("domain-not-imported", "WFT1004", ["node 'n' (other.Magic)", "'other'"],
      "(float[2] x) => (float[2] y) { [n] y = other.Magic (x) }")
check("no-lowering", "WFT2003", ["node 'n' (StringNormalizer)", "node 'm' (StringNormalizer)"],
      "(string[2] x) => (string[N] y) "
      "{ [n] a = StringNormalizer (x) [m] y = StringNormalizer (a) }")

#===------------------------------------------------------------------------===#
# Operands and attributes
#===------------------------------------------------------------------------===#

check("operand-missing", "WFT1005", ["node 'n' (Gemm)", "min=2"],
      "(float[2,2] x) => (float[2,2] y) { [n] y = Gemm (x) }")
check("operand-surplus", "WFT1005", ["node 'n' (Relu)", "max=1"],
      "(float[2] x) => (float[2] y) { [n] y = Relu (x, x) }")
check("operand-empty", "WFT1005", ["node 'n' (Add)", "min=2"],
      "(float[2] x) => (float[2] y) { [n] y = Add (x, ) }")
check("result-surplus", "WFT1005", ["node 'n' (Relu)", "max=1"],
      "(float[2] x) => (float[2] y) { [n] y, z = Relu (x) }")
check("attribute-unknown", "WFT1005", ["node 'n' (Relu)", "'alpha'"],
      "(float[2] x) => (float[2] y) { [n] y = Relu <alpha: float = 1.0> (x) }")
check("attribute-of-wrong-type", "WFT1005", ["node 'n' (Softmax)", "axis"],
      "(float[2] x) => (float[2] y) { [n] y = Softmax <axis: float = 0.0> (x) }")
check("attribute-missing", "WFT1005", ["node 'n' (Cast)", "to"],
      "(float[2] x) => (float[2] y) { [n] y = Cast (x) }")
check("attribute-twice", "WFT1005", ["node 'n' (Softmax)", "'axis'", "multiple times"],
      "(float[2] x) => (float[2] y) { [n] y = Softmax <axis = 0, axis = 0> (x) }")
check("attribute-of-no-function", "WFT1003", ["node 'n' (Softmax)", "'axis'"],
      "(float[2] x) => (float[2] y) { [n] y = Softmax <axis: int = @a> (x) }")
check("cast-to-nothing", "WFT1005", ["node 'n' (Cast)", "77"],
      "(float[2] x) => (float[2] y) { [n] y = Cast <to = 77> (x) }")
check("axis-outside", "WFT2001", ["node 'n' (Softmax)", "axis 2", "rank 2", "2x3"],
      "(float[2,3] x) => (float[2,3] y) { [n] y = Softmax <axis = 2> (x) }")
check("concat-axis", "WFT2001", ["node 'n' (Concat)", "axis -3"],
      "(float[2,3] x) => (float[4,3] y) { [n] y = Concat <axis = -3> (x, x) }")
check("perm-repeats", "WFT2001", ["node 'n' (Transpose)", "perm"],
      "(float[2,3] x) => (float[2,2] y) { [n] y = Transpose <perm = [0, 0]> (x) }")
check("perm-too-short", "WFT2001", ["node 'n' (Transpose)", "perm"],
      "(float[2,3] x) => (float[2,3] y) { [n] y = Transpose <perm = [0]> (x) }")
check("squeeze-of-three", "WFT2001", ["node 'n' (Squeeze)", "3"],
      "(float[2,3] x) => (float[2] y) <int64[1] a = {1}> { [n] y = Squeeze (x, a) }")
check("unsqueeze-twice", "WFT2001", ["node 'n' (Unsqueeze)"],
      "(float[2] x) => (float[1,1,2] y) <int64[2] a = {0, 0}> { [n] y = Unsqueeze (x, a) }")
check("reduce-axis", "WFT2001", ["node 'n' (ReduceSum)", "axis 5"],
      "(float[2,3] x) => (float[2,1] y) <int64[1] a = {5}> { [n] y = ReduceSum (x, a) }")
check("slice-step-zero", "WFT2001", ["node 'n' (Slice)", "step"],
      """(float[4] x) => (float[N] y)
      <int64[1] b = {0}, int64[1] e = {4}, int64[1] a = {0}, int64[1] s = {0}>
      { [n] y = Slice (x, b, e, a, s) }""")
check("slice-axis", "WFT2001", ["node 'n' (Slice)", "axis 3"],
      """(float[4] x) => (float[N] y)
      <int64[1] b = {0}, int64[1] e = {4}, int64[1] a = {3}>
      { [n] y = Slice (x, b, e, a) }""")
check("split-sum", "WFT2001", ["node 'n' (Split)", "4"],
      """(float[4] x) => (float[1] y, float[2] z) <int64[2] s = {1, 2}>
      { [n] y, z = Split (x, s) }""")
check("split-negative", "WFT2001", ["node 'n' (Split)"],
      """(float[4] x) => (float[N] y, float[M] z) <int64[2] s = {-1, 5}>
      { [n] y, z = Split (x, s) }""")
check("split-into-none", "WFT2001", ["node 'n' (Split)", "num_outputs"],
      "(float[4] x) => (float[N] y) { [n] y = Split <num_outputs = 0> (x) }")
check("pads-count", "WFT2001", ["node 'n' (Pad)", "3 paddings"],
      "(float[4] x) => (float[N] y) <int64[3] p = {1, 1, 1}> { [n] y = Pad (x, p) }")
check("pads-take-more-than-all", "WFT2001", ["node 'n' (Pad)", "-1"],
      "(float[4] x) => (float[N] y) <int64[2] p = {-3, -2}> { [n] y = Pad (x, p) }")
check("tile-count", "WFT2001", ["node 'n' (Tile)", "one repeat"],
      "(float[4] x) => (float[N] y) <int64[2] r = {2, 2}> { [n] y = Tile (x, r) }")
check("tile-negative", "WFT2001", ["node 'n' (Tile)", "-8"],
      "(float[4] x) => (float[N] y) <int64[1] r = {-2}> { [n] y = Tile (x, r) }")
check("top-k-of-too-few", "WFT2001", ["node 'n' (TopK)", "5", "4"],
      "(float[4] x) => (float[5] y, int64[5] i) <int64[1] k = {5}> { [n] y, i = TopK (x, k) }")
check("one-hot-depth", "WFT2001", ["node 'n' (OneHot)", "-3"],
      """(int64[4] x) => (float[4,N] y) <int64 d = {-3}, float[2] v = {0, 1}>
      { [n] y = OneHot (x, d, v) }""")
check("shape-negative", "WFT2001", ["node 'n' (ConstantOfShape)", "-2"],
      "(float[4] x) => (float[N] y) <int64[1] s = {-2}> { [n] y = ConstantOfShape (s) }")
check("range-step-zero", "WFT2001", ["node 'n' (Range)", "step is 0"],
      """(float[4] x) => (int64[N] y) <int64 a = {0}, int64 b = {4}, int64 d = {0}>
      { [n] y = Range (a, b, d) }""")
check("einsum-nonsense", "WFT2001", ["node 'n' (Einsum)", "subscript"],
      '(float[2,3] x) => (float[N] y) { [n] y = Einsum <equation = "ij->k"> (x) }')

#===------------------------------------------------------------------------===#
# Windows
#===------------------------------------------------------------------------===#


def conv(name, says, attributes, x="1,4,8,8", w="4,4,3,3", op="Conv"):
    check("conv-" + name, "WFT2001", [f"node 'n' ({op})", *says],
          f"(float[{x}] x, float[{w}] w) => (float[a,b,c,d] y) "
          f"{{ [n] y = {op} <{attributes}> (x, w) }}")


conv("group", ["groups 3", "4"], "group = 3")
conv("group-zero", ["'group' is 0"], "group = 0")
conv("channels", ["channels"], "group = 1", w="4,3,3,3")
conv("stride-negative", ["strides", "-1"], "strides = [-1, 1]")
conv("stride-zero", ["strides", "0"], "strides = [0, 1]")
conv("dilation-zero", ["dilations", "0"], "dilations = [1, 0]")
conv("strides-count", ["strides"], "strides = [1]")
conv("pads-count", ["pads"], "pads = [1, 1]")
conv("kernel-shape", ["size 3 does not fit 5"], "kernel_shape = [5, 5]")
conv("kernel-too-large", ["window spans 3", "has 1"], "group = 1", x="1,4,1,8")
conv("pads-negative", ["window spans 3", "has 0"], "pads = [-4, 0, -4, 0]")
conv("rank", ["rank"], "group = 1", w="4,4,3")
conv("transposed-output-padding", ["output_padding"],
     "output_padding = [5, 5], strides = [2, 2]", op="ConvTranspose")
check("pool-kernel-zero", "WFT2001", ["node 'n' (MaxPool)", "kernel_shape", "0"],
      "(float[1,1,4,4] x) => (float[1,1,a,b] y) "
      "{ [n] y = MaxPool <kernel_shape = [0, 2]> (x) }")
check("pool-stride-negative", "WFT2001", ["node 'n' (AveragePool)", "strides", "-2"],
      "(float[1,1,4,4] x) => (float[1,1,a,b] y) "
      "{ [n] y = AveragePool <kernel_shape = [2, 2], strides = [-2, 1]> (x) }")
#===------------------------------------------------------------------------===#
# Sizes and types that do not fit
#===------------------------------------------------------------------------===#

check("add-of-two-types", "WFT1013", ["node 'n' (Add)", "'x' float[2]", "'i' int64[2]"],
      "(float[2] x, int64[2] i) => (float[2] y) { [n] y = Add (x, i) }")
check("add-sizes", "WFT2001", ["node 'n' (Add)", "2x3", "2x4"],
      "(float[2,3] x, float[2,4] z) => (float[2,3] y) { [n] y = Add (x, z) }")
check("matmul-sizes", "WFT2001", ["node 'n' (MatMul)", "2x4", "5x7"],
      "(float[2,4] x, float[5,7] z) => (float[2,7] y) { [n] y = MatMul (x, z) }")
check("gemm-rank", "WFT2001", ["node 'n' (Gemm)", "2x4x1"],
      "(float[2,4,1] x, float[4,7] z) => (float[2,7] y) { [n] y = Gemm (x, z) }")
check("concat-sizes", "WFT2001", ["node 'n' (Concat)", "2x3", "2x4"],
      "(float[2,3] x, float[2,4] z) => (float[4,3] y) { [n] y = Concat <axis = 0> (x, z) }")
check("concat-ranks", "WFT2001", ["node 'n' (Concat)", "2x3", "<2xf32>"],
      "(float[2,3] x, float[2] z) => (float[4,3] y) { [n] y = Concat <axis = 0> (x, z) }")
check("reshape-count", "WFT2001", ["node 'n' (Reshape)", "2x3"],
      "(float[2,3] x) => (float[5] y) <int64[1] s = {5}> { [n] y = Reshape (x, s) }")
check("reshape-two-unknown", "WFT2001", ["node 'n' (Reshape)", "one size is -1"],
      "(float[2,3] x) => (float[a,b] y) <int64[2] s = {-1, -1}> { [n] y = Reshape (x, s) }")
check("expand-sizes", "WFT2001", ["node 'n' (Expand)", "2x3"],
      "(float[2,3] x) => (float[a,b] y) <int64[2] s = {2, 4}> { [n] y = Expand (x, s) }")
check("output-declares-other-size", "WFT2002", ["output 'y'", "<2xf32>", "<3xf32>"],
      "(float[2] x) => (float[3] y) { [n] y = Relu (x) }")
check("output-declares-other-type", "WFT2001", ["'y'", "f32", "i64"],
      "(float[2] x) => (int64[2] y) { [n] y = Relu (x) }")
check("rank-beyond-the-runtime", "WFT2003", ["'x'", "more than 16 dimensions"],
      "(float[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1] x) => "
      "(float[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1] y) { y = Relu (x) }")
check("size-overflows", "WFT2003", ["'x'", "4611686018427387904", "2^48"],
      "(float[4611686018427387904, 4] x) => (float[4611686018427387904, 4] y) "
      "{ [n] y = Relu (x) }")
check("result-overflows", "WFT2001", ["node 'n' (Tile)", "92233720368547758"],
      """(float[4] x) => (float[N] y) <int64[1] r = {9223372036854775807}>
      { [n] y = Tile (x, r) }""")

#===------------------------------------------------------------------------===#
# Graphs in graphs, and functions
#===------------------------------------------------------------------------===#

check("if-without-else", "WFT1005", ["node 'n' (If)", "else_branch"],
      """(float[2] x, bool c) => (float[2] y) {
        [n] y = If (c) <then_branch = t () => (float[2] a) { a = Neg (x) }>
      }""")
check("if-branches-differ-in-number", "WFT2001", ["node 'n' (If)", "1", "2"],
      """(float[2] x, bool c) => (float[2] y) {
        [n] y = If (c) <
          then_branch = t () => (float[2] a) { a = Neg (x) },
          else_branch = e () => (float[2] b, float[2] d) { b = Abs (x) d = Neg (x) }>
      }""")
check("if-branches-differ-in-type", "WFT2001", ["node 'n' (If)", "f32", "i64"],
      """(float[2] x, int64[2] i, bool c) => (float[2] y) {
        [n] y = If (c) <then_branch = t () => (float[2] a) { a = Neg (x) },
                        else_branch = e () => (int64[2] b) { b = Neg (i) }>
      }""")
check("if-condition-is-no-bool", "WFT1013", ["node 'n' (If)", "'x' has the type float"],
      """(float x) => (float y) {
        [n] y = If (x) <then_branch = t () => (float a) { a = Neg (x) },
                        else_branch = e () => (float b) { b = Abs (x) }>
      }""")
check("loop-body-takes-too-little", "WFT2001", ["node 'n' (Loop)"],
      """(float[2] x, int64 m, bool c) => (float[2] y) {
        [n] y = Loop (m, c, x) <body = b (int64 i, bool d) => (bool e, float[2] z)
          { e = Identity (d) z = Neg (x) }>
      }""")
check("loop-body-yields-too-little", "WFT2001", ["node 'n' (Loop)"],
      """(float[2] x, int64 m, bool c) => (float[2] y) {
        [n] y = Loop (m, c, x) <body = b (int64 i, bool d, float[2] v) => (bool e)
          { e = Identity (d) }>
      }""")
check("loop-carries-another-type", "WFT2001", ["node 'n' (Loop)", "f32", "i64"],
      """(float[2] x, int64 m, bool c) => (float[2] y) {
        [n] y = Loop (m, c, x) <body = b (int64 i, bool d, float[2] v) => (bool e, int64[2] z)
          { e = Identity (d) z = Cast <to = 7> (v) }>
      }""")
check("loop-results-surplus", "WFT2001", ["node 'n' (Loop)", "2"],
      """(float[2] x, int64 m, bool c) => (float[2] y, float[2] w) {
        [n] y, w = Loop (m, c, x) <body = b (int64 i, bool d, float[2] v) => (bool e, float[2] z)
          { e = Identity (d) z = Neg (v) }>
      }""")
SCAN = """(float[2] s, float[3,2] x) => (float[2] t, float[3,2] y) {
  [n] t, y = Scan <num_scan_inputs = %s, body = b (float[2] v, float[2] u) =>
    (float[2] w, float[2] z) { w = Add (v, u) z = Neg (w) }> (s, x)
}"""
check("scan-of-nothing", "WFT2001", ["node 'n' (Scan)", "num_scan_inputs", "0"],
      SCAN % "0")
check("scan-of-more-than-all", "WFT2001", ["node 'n' (Scan)", "num_scan_inputs", "3"],
      SCAN % "3")
check("scan-axis", "WFT2001", ["node 'n' (Scan)", "axis"],
      SCAN % "1, scan_input_axes = [4]")
check("body-fails-inside", "WFT2001", ["node 'k' (MatMul)", "2x4", "5x7"],
      """(float[2,4] x, float[5,7] z, bool c) => (float[a,b] y) {
        [n] y = If (c) <then_branch = t () => (float[c,d] v) { [k] v = MatMul (x, z) },
                        else_branch = e () => (float[2,4] u) { u = Abs (x) }>
      }""")

FUNCTIONS = '<ir_version: 10, opset_import: ["" : 20, "local" : 1]>\n'
check("function-calls-itself", "WFT1006", ["f"],
      """(float[2] x) => (float[2] y) { y = local.f (x) }
      <domain: "local", opset_import: ["" : 20, "local" : 1]>
      f (a) => (b) { b = local.f (a) }""", FUNCTIONS)
check("functions-call-each-other", "WFT1006", ["f", "g"],
      """(float[2] x) => (float[2] y) { y = local.f (x) }
      <domain: "local", opset_import: ["" : 20, "local" : 1]>
      f (a) => (b) { b = local.g (a) }
      <domain: "local", opset_import: ["" : 20, "local" : 1]>
      g (a) => (b) { b = local.f (a) }""", FUNCTIONS)
check("function-gets-too-much", "WFT1006", ["f"],
      """(float[2] x) => (float[2] y) { [n] y = local.f (x, x) }
      <domain: "local", opset_import: ["" : 20]>
      f (a) => (b) { b = Neg (a) }""", FUNCTIONS)
check("function-misuses-names", "WFT1003", ["nothing makes"],
      """(float[2] x) => (float[2] y) { y = local.f (x) }
      <domain: "local", opset_import: ["" : 20]>
      f (a) => (b) { b = Neg (nowhere) }""", FUNCTIONS)
