// RUN: weft-opt %s | weft-opt | FileCheck %s --check-prefix=PRINT
// RUN: weft-opt %s -canonicalize | FileCheck %s --check-prefix=FOLD

// PRINT-LABEL: func.func @relations(
// PRINT:         weft.require_sizes equal %{{.+}}, %{{.+}} "node 'a' (Add)"
// PRINT:         weft.require_sizes oneOr
// PRINT:         weft.require_sizes atMost
// PRINT:         weft.require_sizes below
// PRINT:         weft.require_sizes nonNegative
func.func @relations(%m: index, %n: index) {
  weft.require_sizes equal %m, %n "node 'a' (Add)"
  weft.require_sizes oneOr %m, %n "node 'a' (Add)"
  weft.require_sizes atMost %m, %n "node 'a' (Slice)"
  weft.require_sizes below %m, %n "node 'a' (Slice)"
  weft.require_sizes nonNegative %m, %n "node 'a' (Expand)"
  return
}

// What is sure to hold is dropped; what is sure not to stays, for the run to
// report.
// FOLD-LABEL: func.func @known(
// FOLD-NEXT:    arith.constant 3
// FOLD-NEXT:    arith.constant 4
// FOLD-NEXT:    weft.require_sizes equal
// FOLD-NEXT:    return
func.func @known(%n: index) {
  %c3 = arith.constant 3 : index
  %c4 = arith.constant 4 : index
  weft.require_sizes equal %n, %n "node 'a' (Add)"
  weft.require_sizes atMost %c3, %c4 "node 'a' (Slice)"
  weft.require_sizes equal %c3, %c4 "node 'a' (Add)"
  return
}
