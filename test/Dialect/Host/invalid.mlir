// RUN: weft-opt %s -split-input-file -verify-diagnostics

func.func @no_table() {
  // expected-error @below {{'host.input' op number 0 is not in 'host.inputs'}}
  %0 = host.input 0
  return
}

// -----

module attributes {host.symbols = [#host.symbol<"N", 1, 64>]} {
func.func @symbol_out_of_range() {
  // expected-error @below {{'host.symbol' op number 1 is not in 'host.symbols'}}
  %0 = host.symbol 1
  return
}
}

// -----

module attributes {host.inputs = [#host.symbol<"N", 1, 64>]} {
func.func @other_kind() {
  // expected-error @below {{'host.input' op entry 0 of 'host.inputs' is of another kind: #host.symbol<"N", 1, 64>}}
  %0 = host.input 0
  return
}
}

// -----

module attributes {host.outputs = [#host.port<"y", tensor<?x8xf32>, [-2, -1]>]} {
func.func @output_sizes(%n: index) {
  // expected-error @below {{'host.output' op has 2 sizes, but output 'y' wants 1}}
  %0 = host.output 0 sizes(%n, %n)
  return
}
}

// -----

func.func @unknown_data() {
  // expected-error @below {{'host.constant' op 'weight' is not a 'host.data'}}
  %0 = host.constant @weight
  return
}

// -----

func.func @unknown_kernel() {
  // expected-error @below {{'host.launch' op 'add' is not a 'dispatch.kernel'}}
  host.launch @add
  return
}

// -----

// expected-error @below {{'host.data' op value is of type 'i64', but a tensor of static shape is wanted}}
host.data @data "x" 1 : i64

// -----

func.func @size_operands(%n: index) {
  // expected-error @below {{'host.size' op has 1 sizes, but 'tensor<?x?xf32>' wants 2}}
  %0 = host.size tensor<?x?xf32>(%n)
  return
}

// -----

// expected-error @below {{port 'x' has 1 symbols, but its rank is 2}}
module attributes {a = #host.port<"x", tensor<2x3xf32>, [-1]>} {}

// -----

// expected-error @below {{port 'x' has symbol -3, which stands for nothing}}
module attributes {a = #host.port<"x", tensor<?xf32>, [-3]>} {}

// -----

// expected-error @below {{port 'x' has symbol -1 where its type 'tensor<?xf32>' has no size}}
module attributes {a = #host.port<"x", tensor<?xf32>, [-1]>} {}

// -----

// expected-error @below {{symbol 'N' has the range 4 to 3, which is empty or negative}}
module attributes {a = #host.symbol<"N", 4, 3>} {}

// -----

// expected-error @below {{port 'w' is state, but has no twin}}
#port = #host.port<"w", tensor<8xf32>, [-1], role = state>

// -----

// expected-error @below {{port 'w' is no state, but has a twin}}
#port = #host.port<"w", tensor<8xf32>, [-1], twin = 1>

// -----

// expected-error @below {{port 'w' is no state, but starts from @data}}
#port = #host.port<"w", tensor<8xf32>, [-1], initial = @data>
