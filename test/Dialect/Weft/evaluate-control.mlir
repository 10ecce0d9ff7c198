// RUN: weft-opt %s -weft-test-evaluate -o /dev/null | FileCheck %s

// CHECK-LABEL: choice:
// CHECK-NEXT:  dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
func.func @choice() -> tensor<2xf32> {
  %a = weft.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = weft.constant dense<[3, 2]> : tensor<2xi64>
  %i = arith.constant 1 : index
  %e = tensor.extract %b[%i] : tensor<2xi64>
  %two = arith.constant 2 : i64
  %c = arith.cmpi eq, %e, %two : i64
  %0 = scf.if %c -> tensor<2xf32> {
    scf.yield %a : tensor<2xf32>
  } else {
    %n = weft.neg %a : tensor<2xf32>
    scf.yield %n : tensor<2xf32>
  }
  return %0 : tensor<2xf32>
}

// CHECK-LABEL: count:
// CHECK-NEXT:  dense<[10, 20]> : tensor<2xi64>
func.func @count() -> tensor<2xi64> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %five = arith.constant 5 : index
  %x = weft.constant dense<0> : tensor<2xi64>
  %0 = scf.for %i = %zero to %five step %one
      iter_args(%sum = %x) -> tensor<2xi64> {
    %j = arith.index_cast %i : index to i64
    %k = arith.addi %j, %j : i64
    %t = tensor.from_elements %j, %k : tensor<2xi64>
    %next = weft.add %sum, %t : tensor<2xi64>
    scf.yield %next : tensor<2xi64>
  }
  return %0 : tensor<2xi64>
}

// CHECK-LABEL: double_until:
// CHECK-NEXT:  dense<128> : tensor<i64>
func.func @double_until() -> tensor<i64> {
  %x = weft.constant dense<1> : tensor<i64>
  %limit = arith.constant 100 : i64
  %0 = scf.while (%v = %x) : (tensor<i64>) -> tensor<i64> {
    %e = tensor.extract %v[] : tensor<i64>
    %c = arith.cmpi slt, %e, %limit : i64
    scf.condition(%c) %v : tensor<i64>
  } do {
  ^bb0(%v: tensor<i64>):
    %next = weft.add %v, %v : tensor<i64>
    scf.yield %next : tensor<i64>
  }
  return %0 : tensor<i64>
}

// CHECK-LABEL: sizes:
// CHECK-NEXT:  dense<6> : tensor<1xi64>
func.func @sizes() -> tensor<1xi64> {
  %x = weft.constant dense<0.0> : tensor<2x3xf32>
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %y = tensor.cast %x : tensor<2x3xf32> to tensor<?x?xf32>
  %a = tensor.dim %y, %zero : tensor<?x?xf32>
  %b = tensor.dim %y, %one : tensor<?x?xf32>
  %n = arith.muli %a, %b : index
  %i = arith.index_cast %n : index to i64
  %0 = tensor.from_elements %i : tensor<1xi64>
  return %0 : tensor<1xi64>
}

func.func @negate(%x: tensor<2xi8>) -> tensor<2xi8> {
  %0 = weft.neg %x : tensor<2xi8>
  return %0 : tensor<2xi8>
}

// CHECK-LABEL: call:
// CHECK-NEXT:  dense<[-1, 2]> : tensor<2xi8>
func.func @call() -> tensor<2xi8> {
  %x = weft.constant dense<[1, -2]> : tensor<2xi8>
  %0 = func.call @negate(%x) : (tensor<2xi8>) -> tensor<2xi8>
  return %0 : tensor<2xi8>
}
