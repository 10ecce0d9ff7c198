// RUN: weft-opt %s -dispatch-in-place -split-input-file | FileCheck %s

// The new value of a state is made where the old one is, if each element of
// that is needed for the same elements alone.
// CHECK-LABEL: func.func @momentum(
//       CHECK:   dispatch.region ins(%{{.+}}, %{{.+}}, %{{.+}} : {{.+}}) in_place [1, 0] ->
func.func @momentum(%w: tensor<4xf32> {weft.role = "parameter"},
                    %v: tensor<4xf32> {weft.role = "state"}, %g: tensor<4xf32>)
    -> (tensor<4xf32> {weft.role = "state", weft.twin = 1 : i64},
        tensor<4xf32> {weft.role = "parameter", weft.twin = 0 : i64}) {
  %0:2 = dispatch.region ins(%w, %v, %g : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>)
      -> tensor<4xf32>, tensor<4xf32> {
  ^bb0(%w0: tensor<4xf32>, %v0: tensor<4xf32>, %g0: tensor<4xf32>):
    %1 = weft.add %v0, %g0 : tensor<4xf32>
    %2 = weft.sub %w0, %1 : tensor<4xf32>
    dispatch.yield %1, %2 : tensor<4xf32>, tensor<4xf32>
  }
  return %0#0, %0#1 : tensor<4xf32>, tensor<4xf32>
}

// -----

// Not so where other elements of the old value are read, or where the result
// belongs to another state.
// CHECK-LABEL: func.func @reversed(
//   CHECK-NOT:   in_place
func.func @reversed(%w: tensor<4x4xf32> {weft.role = "state"}, %v: tensor<4x4xf32> {weft.role = "state"})
    -> (tensor<4x4xf32> {weft.role = "state", weft.twin = 0 : i64},
        tensor<4x4xf32> {weft.role = "state", weft.twin = 1 : i64}) {
  %0 = dispatch.region ins(%w : tensor<4x4xf32>) -> tensor<4x4xf32> {
  ^bb0(%w0: tensor<4x4xf32>):
    %1 = weft.transpose %w0 [1, 0] : tensor<4x4xf32>
    %2 = weft.add %w0, %1 : tensor<4x4xf32>
    dispatch.yield %2 : tensor<4x4xf32>
  }
  %3 = dispatch.region ins(%w : tensor<4x4xf32>) -> tensor<4x4xf32> {
  ^bb0(%w0: tensor<4x4xf32>):
    %4 = weft.neg %w0 : tensor<4x4xf32>
    dispatch.yield %4 : tensor<4x4xf32>
  }
  return %0, %3 : tensor<4x4xf32>, tensor<4x4xf32>
}

// -----

// A part of what a loop carries is replaced.
// CHECK-LABEL: func.func @part_in_loop(
//       CHECK:   dispatch.region ins(%{{.+}}, %{{.+}} : {{.+}}) scalars(%{{.+}}) in_place [1] ->
func.func @part_in_loop(%row: tensor<1x4xf32>, %all: tensor<8x4xf32>, %n: index) -> tensor<8x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %all) -> tensor<8x4xf32> {
    %1 = dispatch.region ins(%row, %a : tensor<1x4xf32>, tensor<8x4xf32>) scalars(%i) -> tensor<8x4xf32> {
    ^bb0(%s: tensor<1x4xf32>, %d: tensor<8x4xf32>, %at: index):
      %2 = weft.update_slice %s into %d [%at, 0] : tensor<1x4xf32>, tensor<8x4xf32>
      dispatch.yield %2 : tensor<8x4xf32>
    }
    scf.yield %1 : tensor<8x4xf32>
  }
  return %0 : tensor<8x4xf32>
}

// -----

// The old tensor is needed afterwards, or is the caller's.
// CHECK-LABEL: func.func @needed(
//   CHECK-NOT:   in_place
func.func @needed(%row: tensor<1x4xf32>, %all: tensor<8x4xf32>, %n: index) -> (tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0:2 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %all, %b = %all) -> (tensor<8x4xf32>, tensor<8x4xf32>) {
    %1 = dispatch.region ins(%row, %a : tensor<1x4xf32>, tensor<8x4xf32>) scalars(%i) -> tensor<8x4xf32> {
    ^bb0(%s: tensor<1x4xf32>, %d: tensor<8x4xf32>, %at: index):
      %2 = weft.update_slice %s into %d [%at, 0] : tensor<1x4xf32>, tensor<8x4xf32>
      dispatch.yield %2 : tensor<8x4xf32>
    }
    scf.yield %1, %a : tensor<8x4xf32>, tensor<8x4xf32>
  }
  %3 = dispatch.region ins(%row, %all : tensor<1x4xf32>, tensor<8x4xf32>) scalars(%n) -> tensor<8x4xf32> {
  ^bb0(%s: tensor<1x4xf32>, %d: tensor<8x4xf32>, %at: index):
    %4 = weft.update_slice %s into %d [%at, 0] : tensor<1x4xf32>, tensor<8x4xf32>
    dispatch.yield %4 : tensor<8x4xf32>
  }
  return %0#0, %0#1, %3 : tensor<8x4xf32>, tensor<8x4xf32>, tensor<8x4xf32>
}

// -----

// What a loop carries from element to the same element; the second value is
// still needed, and the third is carried on in another place.
// CHECK-LABEL: func.func @elements_in_loop(
//       CHECK:   dispatch.region ins(%{{.+}}, %{{.+}} : {{.+}}) in_place [0] ->
//       CHECK:   dispatch.region ins(%{{.+}} : {{.+}}) -> tensor<4xf32>
//       CHECK:   dispatch.region ins(%{{.+}} : {{.+}}) -> tensor<4xf32>
func.func @elements_in_loop(%x: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %0:4 = scf.for %i = %c0 to %n step %c1 iter_args(%a = %x, %b = %x, %c = %x, %d = %x) -> (tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>) {
    %1 = dispatch.region ins(%a, %x : tensor<4xf32>, tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%a0: tensor<4xf32>, %x0: tensor<4xf32>):
      %2 = weft.add %a0, %x0 : tensor<4xf32>
      dispatch.yield %2 : tensor<4xf32>
    }
    %3 = dispatch.region ins(%b : tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%b0: tensor<4xf32>):
      %4 = weft.neg %b0 : tensor<4xf32>
      dispatch.yield %4 : tensor<4xf32>
    }
    %5 = dispatch.region ins(%c : tensor<4xf32>) -> tensor<4xf32> {
    ^bb0(%c0_0: tensor<4xf32>):
      %6 = weft.abs %c0_0 : tensor<4xf32>
      dispatch.yield %6 : tensor<4xf32>
    }
    scf.yield %1, %3, %b, %5 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
  }
  return %0#0, %0#1, %0#2, %0#3 : tensor<4xf32>, tensor<4xf32>, tensor<4xf32>, tensor<4xf32>
}
