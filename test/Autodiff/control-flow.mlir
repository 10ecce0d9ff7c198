// RUN: weft-opt %s --weft-test-gradient -o /dev/null | FileCheck %s

// Branches and loops, whose bodies are functions of what they carry and of what
// they use from above, against central differences in f64.
// CHECK-NOT: WRONG

//     CHECK: {{^}}branch: formula, right
func.func @branch(%x: tensor<3xf64>, %w: tensor<3xf64>, %c: tensor<i1>) -> tensor<3xf64> {
  %flag = tensor.extract %c[] : tensor<i1>
  %y = scf.if %flag -> tensor<3xf64> {
    %a = weft.mul %x, %w : tensor<3xf64>
    %b = weft.mul %a, %a : tensor<3xf64>
    scf.yield %b : tensor<3xf64>
  } else {
    %a = weft.exp %x : tensor<3xf64>
    scf.yield %a : tensor<3xf64>
  }
  %z = weft.mul %y, %x : tensor<3xf64>
  return %z : tensor<3xf64>
}

//     CHECK: {{^}}counted: formula, right
func.func @counted(%x: tensor<3xf64>, %w: tensor<3xf64>) -> (tensor<3xf64>, tensor<3xf64>) {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %four = arith.constant 4 : index
  %r:2 = scf.for %i = %zero to %four step %one iter_args(%a = %x, %b = %w) -> (tensor<3xf64>, tensor<3xf64>) {
    %s = weft.mul %a, %w : tensor<3xf64>
    %t = weft.tanh %s : tensor<3xf64>
    %u = weft.mul %t, %b : tensor<3xf64>
    %v = weft.add %b, %a : tensor<3xf64>
    scf.yield %u, %v : tensor<3xf64>, tensor<3xf64>
  }
  %z = weft.mul %r#0, %x : tensor<3xf64>
  return %z, %r#1 : tensor<3xf64>, tensor<3xf64>
}

// Bounds that are not 0 and 1, symbolic sizes, a value that stays the same.
//     CHECK: {{^}}strided: formula, right
func.func @strided(%x: tensor<?xf64>, %w: tensor<?xf64>) -> tensor<?xf64> {
  %low = arith.constant 2 : index
  %step = arith.constant 3 : index
  %high = arith.constant 10 : index
  %r:2 = scf.for %i = %low to %high step %step iter_args(%a = %x, %same = %w) -> (tensor<?xf64>, tensor<?xf64>) {
    %s = weft.mul %a, %same : tensor<?xf64>
    %t = weft.sin %s : tensor<?xf64>
    scf.yield %t, %same : tensor<?xf64>, tensor<?xf64>
  }
  %z = weft.mul %r#0, %r#1 : tensor<?xf64>
  return %z : tensor<?xf64>
}

//     CHECK: {{^}}nested: formula, right
func.func @nested(%x: tensor<3xf64>, %w: tensor<3xf64>) -> tensor<3xf64> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %three = arith.constant 3 : index
  %r = scf.for %i = %zero to %three step %one iter_args(%a = %x) -> tensor<3xf64> {
    %inner = scf.for %j = %zero to %i step %one iter_args(%b = %a) -> tensor<3xf64> {
      %p = weft.mul %b, %w : tensor<3xf64>
      %q = weft.cos %p : tensor<3xf64>
      scf.yield %q : tensor<3xf64>
    }
    %s = weft.mul %inner, %a : tensor<3xf64>
    scf.yield %s : tensor<3xf64>
  }
  return %r : tensor<3xf64>
}

// As often as the data says: here until the counter reaches the limit.
//     CHECK: {{^}}unknown: formula, right
func.func @unknown(%x: tensor<3xf64>, %w: tensor<3xf64>) -> tensor<3xf64> {
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %limit = arith.constant 3 : index
  %r:2 = scf.while (%a = %x, %n = %zero) : (tensor<3xf64>, index) -> (tensor<3xf64>, index) {
    %goes = arith.cmpi slt, %n, %limit : index
    %c = weft.mul %a, %w : tensor<3xf64>
    scf.condition(%goes) %c, %n : tensor<3xf64>, index
  } do {
  ^bb0(%c: tensor<3xf64>, %n: index):
    %d = weft.sin %c : tensor<3xf64>
    %next = arith.addi %n, %one : index
    scf.yield %d, %next : tensor<3xf64>, index
  }
  %z = weft.mul %r#0, %x : tensor<3xf64>
  return %z : tensor<3xf64>
}

//     CHECK: {{^}}helpers: formula, right
func.func @helpers(%x: tensor<3xf64>, %w: tensor<3xf64>, %c: tensor<i1>) -> tensor<3xf64> {
  %flag = tensor.extract %c[] : tensor<i1>
  %a = tensor.cast %x : tensor<3xf64> to tensor<?xf64>
  %b = weft.mul %a, %a : tensor<?xf64>
  %d = tensor.cast %b : tensor<?xf64> to tensor<3xf64>
  %y = arith.select %flag, %d, %w : tensor<3xf64>
  %z = weft.mul %y, %w : tensor<3xf64>
  return %z : tensor<3xf64>
}
