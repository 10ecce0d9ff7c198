// RUN: %python -c "import array,sys; array.array('f',[1,2,3,4]).tofile(open(sys.argv[1],'wb')); open(sys.argv[1],'ab').write(bytes([0x21,0x43]))" %t.bin
// RUN: sed "s#FILE#%t.bin#" %s > %t.mlir
// RUN: weft-test-program %t.mlir | FileCheck %s
// RUN: weft-test-program %t.mlir --library=%t.so | FileCheck %s
// RUN: llvm-readelf -SlW %t.so | FileCheck %s --check-prefix=FILE

// A constant stays in its file, in this process; a library holds a copy.
// Packed elements are spread to a byte each. One that is not aligned in the
// file works as well.
//      CHECK: whole: f32[4]1,2,3,4
// CHECK-NEXT: part: f32[3]2,3,4
// CHECK-NEXT: packed: i4[4]1,2,3,4
// CHECK-NEXT: inline: i64[2]5,-6

// They are in a segment of their own, that nothing writes to.
//      FILE: .lweights PROGBITS {{0*}}[[ADDRESS:[0-9a-f]+]] {{[0-9a-f]+}} 000082 {{.*}} Al
//      FILE: LOAD {{.*}} 0x{{0*}}[[ADDRESS]] 0x000082 0x000082 R 0x10000
func.func @main() -> (tensor<4xf32> {weft.name = "whole"},
                      tensor<3xf32> {weft.name = "part"},
                      tensor<4xi4> {weft.name = "packed"},
                      tensor<2xi64> {weft.name = "inline"}) {
  %0 = weft.constant #weft.extern<"FILE", 0, 16, false> : tensor<4xf32>
  %1 = weft.constant #weft.extern<"FILE", 4, 12, false> : tensor<3xf32>
  %2 = weft.constant #weft.extern<"FILE", 16, 2, true> : tensor<4xi4>
  %3 = weft.constant dense<[5, -6]> : tensor<2xi64>
  return %0, %1, %2, %3 : tensor<4xf32>, tensor<3xf32>, tensor<4xi4>, tensor<2xi64>
}
