// RUN: %python -c "open(r'%t.bin', 'wb').write(bytes([9, 1, 0, 254, 255, 0x21, 0xF3]))"
// RUN: sed 's|FILE|%t.bin|' %s | weft-opt -weft-test-evaluate -split-input-file -verify-diagnostics -o /dev/null | FileCheck %s

// CHECK-LABEL: elements:
// CHECK-NEXT:  dense<[1, -2]> : tensor<2xi16>
func.func @elements() -> tensor<2xi16> {
  %0 = weft.constant #weft.extern<"FILE", 1, 4, false> : tensor<2xi16>
  return %0 : tensor<2xi16>
}

// -----

// The low half of a byte comes first.
// CHECK-LABEL: packed:
// CHECK-NEXT:  dense<[1, 2, 3]> : tensor<3xi4>
func.func @packed() -> tensor<3xi4> {
  %0 = weft.constant #weft.extern<"FILE", 5, 2, true> : tensor<3xi4>
  return %0 : tensor<3xi4>
}

// -----

func.func @too_short() -> tensor<8xi8> {
  // expected-error @below {{'weft.constant' op}}
  %0 = weft.constant #weft.extern<"FILE", 0, 8, false> : tensor<8xi8>
  return %0 : tensor<8xi8>
}
