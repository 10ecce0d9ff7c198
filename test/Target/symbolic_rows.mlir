// RUN: weft-opt %s -dispatch-form -codegen-cpu -o %t.mlir
// RUN: weft-test-program %t.mlir --input='f32[1x3]1,2,3' | FileCheck %s --check-prefix=ONE
// RUN: weft-test-program %t.mlir --input='f32[2x3]1,2,3,4,5,6' | FileCheck %s --check-prefix=TWO
// RUN: weft-test-program %t.mlir --input='f32[0x3]' | FileCheck %s --check-prefix=NONE

// One row is computed in another way than many; the run chooses, for a right
// side that lies either way.
//       ONE: rows: f32[1x2]14,32
//  ONE-NEXT: columns: f32[1x2]22,28
//       TWO: rows: f32[2x2]14,32,32,77
//  TWO-NEXT: columns: f32[2x2]22,28,49,64
//      NONE: rows: f32[0x2]
// NONE-NEXT: columns: f32[0x2]
func.func @main(%x: tensor<?x3xf32> {weft.name = "x", weft.dims = ["N", ""]})
    -> (tensor<?x2xf32> {weft.name = "rows"}, tensor<?x2xf32> {weft.name = "columns"}) {
  %0 = weft.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xf32>
  %1 = weft.constant dense<[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]> : tensor<3x2xf32>
  %2 = weft.contract %x, %0 batch [] x [] contract [1] x [1] : tensor<?x3xf32>, tensor<2x3xf32> -> tensor<?x2xf32>
  %3 = weft.contract %x, %1 batch [] x [] contract [1] x [0] : tensor<?x3xf32>, tensor<3x2xf32> -> tensor<?x2xf32>
  return %2, %3 : tensor<?x2xf32>, tensor<?x2xf32>
}
