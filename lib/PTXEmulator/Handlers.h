//===- Handlers.h - Shapes of handlers ----------------------------*- C++
//-*-===//
//
// An operation on scalars, as a lambda, becomes a handler for 32 lanes.
//
//===----------------------------------------------------------------------===//

#ifndef WEFT_PTXEMULATOR_HANDLERS_H
#define WEFT_PTXEMULATOR_HANDLERS_H

#include "Decoder.h"

#include <type_traits>

namespace weft::ptx {

template <auto Op, class D, class A>
void unary(Warp &warp, const Instr &instr, Mask lanes) {
  D *d = warp.out<D>(instr.d);
  const A *a = warp.in<A>(instr.a);
  forLanes(lanes, [=](unsigned lane) { d[lane] = Op(a[lane]); });
}

template <auto Op, class D, class A, class B = A>
void binary(Warp &warp, const Instr &instr, Mask lanes) {
  D *d = warp.out<D>(instr.d);
  const A *a = warp.in<A>(instr.a);
  const B *b = warp.in<B>(instr.b);
  forLanes(lanes, [=](unsigned lane) { d[lane] = Op(a[lane], b[lane]); });
}

template <auto Op, class D, class A, class B = A, class C = A>
void ternary(Warp &warp, const Instr &instr, Mask lanes) {
  D *d = warp.out<D>(instr.d);
  const A *a = warp.in<A>(instr.a);
  const B *b = warp.in<B>(instr.b);
  const C *c = warp.in<C>(instr.c);
  forLanes(lanes,
           [=](unsigned lane) { d[lane] = Op(a[lane], b[lane], c[lane]); });
}

/// Operations whose details are in the instruction.
template <auto Op, class D, class A>
void unaryWith(Warp &warp, const Instr &instr, Mask lanes) {
  D *d = warp.out<D>(instr.d);
  const A *a = warp.in<A>(instr.a);
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    d[lane] = Op(instr, a[lane]);
  }
}

template <auto Op, class D, class A, class B = A>
void binaryWith(Warp &warp, const Instr &instr, Mask lanes) {
  D *d = warp.out<D>(instr.d);
  const A *a = warp.in<A>(instr.a);
  const B *b = warp.in<B>(instr.b);
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    d[lane] = Op(instr, a[lane], b[lane]);
  }
}

template <auto Op, class D, class A, class B = A, class C = A>
void ternaryWith(Warp &warp, const Instr &instr, Mask lanes) {
  D *d = warp.out<D>(instr.d);
  const A *a = warp.in<A>(instr.a);
  const B *b = warp.in<B>(instr.b);
  const C *c = warp.in<C>(instr.c);
  for (; lanes; lanes &= lanes - 1) {
    unsigned lane = std::countr_zero(lanes);
    d[lane] = Op(instr, a[lane], b[lane], c[lane]);
  }
}

/// The unsigned integer that arithmetic on T wraps in.
template <class T>
using Wrapping = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

/// The types of integers with 16, 32 and 64 bits: calls `make` with a value of
/// the type that `type` names; null for other types.
template <class Make> Handler forInteger(Type type, Make make) {
  switch (type) {
  case Type::U16:
  case Type::B16:
    return make(uint16_t());
  case Type::S16:
    return make(int16_t());
  case Type::U32:
  case Type::B32:
    return make(uint32_t());
  case Type::S32:
    return make(int32_t());
  case Type::U64:
  case Type::B64:
    return make(uint64_t());
  case Type::S64:
    return make(int64_t());
  default:
    return nullptr;
  }
}

template <auto Op> Handler integerUnary(Type type) {
  return forInteger(type, [](auto value) -> Handler {
    using T = decltype(value);
    return unary<Op, T, T>;
  });
}

template <auto Op> Handler integerBinary(Type type) {
  return forInteger(type, [](auto value) -> Handler {
    using T = decltype(value);
    return binary<Op, T, T>;
  });
}

template <auto Op> Handler integerTernary(Type type) {
  return forInteger(type, [](auto value) -> Handler {
    using T = decltype(value);
    return ternary<Op, T, T>;
  });
}

inline void setHandler(Decoder &decoder, Handler handler) {
  if (!handler)
    decoder.fail("this type is not supported");
  decoder.instr.run = handler;
}

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_HANDLERS_H
