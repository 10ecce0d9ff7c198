// RUN: weft-opt %s -canonicalize | FileCheck %s

// CHECK-LABEL: func.func @identities(
// CHECK-SAME:    %[[X:.+]]: tensor<2x3xf32>
// CHECK-NOT:     weft.
// CHECK:         return %[[X]], %[[X]], %[[X]], %[[X]], %[[X]], %[[X]], %[[X]], %[[X]]
func.func @identities(%x: tensor<2x3xf32>, %v: tensor<f32>)
    -> (tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>,
        tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>) {
  %0 = weft.reshape %x : tensor<2x3xf32> to tensor<2x3xf32>
  %1 = weft.transpose %x [0, 1] : tensor<2x3xf32>
  %2 = weft.broadcast %x dims [0, 1] : tensor<2x3xf32> to tensor<2x3xf32>
  %3 = weft.slice %x [0, 0] [2, 3] [1, 1] : tensor<2x3xf32> to tensor<2x3xf32>
  %4 = weft.pad %x, %v low [0, 0] high [0, 0]
      : tensor<2x3xf32>, tensor<f32> to tensor<2x3xf32>
  %5 = weft.concat %x axis 0 : (tensor<2x3xf32>) -> tensor<2x3xf32>
  %6 = weft.pad %x, %v low [0, 0] high [0, 0] interior [0, 0]
      : tensor<2x3xf32>, tensor<f32> to tensor<2x3xf32>
  %7 = weft.update_slice %x into %3 [0, 0] : tensor<2x3xf32>, tensor<2x3xf32>
  return %0, %1, %2, %3, %4, %5, %6, %7
      : tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>,
        tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>, tensor<2x3xf32>
}

// A part may be of another size than all that its type tells, and what stands
// between elements is more than nothing.
// CHECK-LABEL: func.func @not_identities(
// CHECK:         weft.update_slice
// CHECK:         weft.pad
func.func @not_identities(%x: tensor<?xf32>, %y: tensor<?xf32>,
                          %v: tensor<f32>, %i: index)
    -> (tensor<?xf32>, tensor<?xf32>) {
  %0 = weft.update_slice %x into %y [%i] : tensor<?xf32>, tensor<?xf32>
  %1 = weft.pad %x, %v low [0] high [0] interior [1]
      : tensor<?xf32>, tensor<f32> to tensor<?xf32>
  return %0, %1 : tensor<?xf32>, tensor<?xf32>
}

// One symbolic size follows from the number of elements, two do not.
// CHECK-LABEL: func.func @symbolic_reshape(
// CHECK-SAME:    %[[X:[^:]+]]: tensor<?x3xf32>, %[[Y:[^:]+]]: tensor<?x?xf32>
// CHECK:         %[[R:.+]] = weft.reshape %[[Y]]
// CHECK:         return %[[X]], %[[R]]
func.func @symbolic_reshape(%x: tensor<?x3xf32>, %y: tensor<?x?xf32>,
                            %n: index) -> (tensor<?x3xf32>, tensor<?x?xf32>) {
  %0 = weft.reshape %x sizes(%n) : tensor<?x3xf32> to tensor<?x3xf32>
  %1 = weft.reshape %y sizes(%n, %n) : tensor<?x?xf32> to tensor<?x?xf32>
  return %0, %1 : tensor<?x3xf32>, tensor<?x?xf32>
}

// A symbolic size of one may be repeated.
// CHECK-LABEL: func.func @symbolic_broadcast(
// CHECK:         weft.broadcast
func.func @symbolic_broadcast(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %0 = weft.broadcast %x dims [0] sizes(%n) : tensor<?xf32> to tensor<?xf32>
  return %0 : tensor<?xf32>
}

// CHECK-LABEL: func.func @reversed_slice(
// CHECK:         weft.slice
func.func @reversed_slice(%x: tensor<3xf32>) -> tensor<3xf32> {
  %0 = weft.slice %x [2] [3] [-1] : tensor<3xf32> to tensor<3xf32>
  return %0 : tensor<3xf32>
}

// CHECK-LABEL: func.func @same_constants(
// CHECK-COUNT-1: weft.constant
// CHECK-NOT:     weft.constant
func.func @same_constants() -> (tensor<2xf32>, tensor<2xf32>) {
  %0 = weft.constant dense<1.0> : tensor<2xf32>
  %1 = weft.constant dense<1.0> : tensor<2xf32>
  return %0, %1 : tensor<2xf32>, tensor<2xf32>
}

// Every op is pure.
// CHECK-LABEL: func.func @unused(
// CHECK-NEXT:    return
func.func @unused(%x: tensor<2xf32>) {
  %0 = weft.add %x, %x : tensor<2xf32>
  return
}

// Pieces that touch are one, whatever their order; and all of them the whole.
// CHECK-LABEL: func.func @seams(
// CHECK-SAME:    %[[A:.+]]: tensor<4x2xf32>, %[[B:.+]]: tensor<4x3xf32>, %[[C:.+]]: tensor<4x1xf32>)
// CHECK-DAG:     %[[BA:.+]] = weft.concat %[[B]], %[[A]] axis 1
// CHECK-DAG:     %[[ALL:.+]] = weft.concat %[[BA]], %[[C]] axis 1
// CHECK:         return %[[ALL]]
func.func @seams(%a: tensor<4x2xf32>, %b: tensor<4x3xf32>, %c: tensor<4x1xf32>)
    -> tensor<4x6xf32> {
  %z = weft.constant dense<0.0> : tensor<f32>
  %zeros = weft.broadcast %z dims [] : tensor<f32> to tensor<4x6xf32>
  %0 = weft.update_slice %a into %zeros [0, 3] : tensor<4x2xf32>, tensor<4x6xf32>
  %1 = weft.update_slice %b into %zeros [0, 0] : tensor<4x3xf32>, tensor<4x6xf32>
  %2 = weft.update_slice %c into %zeros [0, 5] : tensor<4x1xf32>, tensor<4x6xf32>
  %3 = weft.add %0, %1 : tensor<4x6xf32>
  %4 = weft.add %3, %2 : tensor<4x6xf32>
  return %4 : tensor<4x6xf32>
}

// Neither a gap nor an overlap nor other things than zeros around a piece.
// CHECK-LABEL: func.func @no_seams(
// CHECK-NOT:     weft.concat
func.func @no_seams(%a: tensor<4xf32>, %b: tensor<4xf32>, %x: tensor<9xf32>)
    -> (tensor<9xf32>, tensor<9xf32>, tensor<9xf32>) {
  %z = weft.constant dense<0.0> : tensor<9xf32>
  %0 = weft.update_slice %a into %z [0] : tensor<4xf32>, tensor<9xf32>
  %1 = weft.update_slice %b into %z [5] : tensor<4xf32>, tensor<9xf32>
  %2 = weft.update_slice %b into %z [3] : tensor<4xf32>, tensor<9xf32>
  %3 = weft.update_slice %b into %x [4] : tensor<4xf32>, tensor<9xf32>
  %4 = weft.add %0, %1 : tensor<9xf32>
  %5 = weft.add %0, %2 : tensor<9xf32>
  %6 = weft.add %0, %3 : tensor<9xf32>
  return %4, %5, %6 : tensor<9xf32>, tensor<9xf32>, tensor<9xf32>
}
