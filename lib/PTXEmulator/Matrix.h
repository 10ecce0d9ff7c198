//===- Matrix.h - Fragments of matrices ---------------------------*- C++
//-*-===//

#ifndef WEFT_PTXEMULATOR_MATRIX_H
#define WEFT_PTXEMULATOR_MATRIX_H

#include "AsyncCopy.h"
#include "Number.h"

namespace weft::ptx {

/// Types of the elements of factors.
enum class Element : uint8_t { F16, BF16, TF32, E4M3, E5M2, S8, U8 };

/// False for types that are none.
bool elementOf(Type type, Element &element);
unsigned bitsOf(Element element);
/// The elements of 32 bits.
void unpack(Element element, uint32_t bits, float *values);

/// Types of sums and results.
enum class Sum : uint8_t { F32, F16, S32 };

/// A product's sums, of 16 x n for one warp: from and to the registers of
/// lanes. Row `lane / 4` and the one 8 further, two columns of every 8.
class Accumulator {
public:
  Accumulator(Sum type, unsigned n) : type(type), n(n) {}
  /// Registers that each lane holds.
  unsigned registers() const { return type == Sum::F16 ? n / 4 : n / 2; }
  /// Adds the product of a (16 x k) and b (k x n), and saturates integers if
  /// asked.
  void add(const float *a, const float *b, unsigned k, bool saturate);
  void clear();
  void load(const Warp &warp, const int32_t *list);
  void store(const Warp &warp, const int32_t *list) const;

private:
  template <class Body> void forRegisters(Body body) const;

  Sum type;
  unsigned n;
  std::vector<float> values;
  std::vector<int32_t> integers;
};

/// The left factor's 16 x k from registers of the lanes.
void loadLeft(const Warp &warp, Element element, const int32_t *list,
              unsigned k, float *values);

/// One asynchronous product: which group it is in, and what is done at its end.
struct PendingProduct {
  uint32_t group;
  std::function<void()> finish;
  AsyncIdentity identity;
};

/// The asynchronous products (wgmma) of one warp.
struct MatrixQueue {
  std::vector<PendingProduct> pending;
  uint32_t committed = 0;
  bool fenced = false;
  /// By the first register: sums whose products have not all ended.
  std::map<int32_t, Accumulator> underWay;
  /// How many products of each are outstanding.
  std::map<int32_t, unsigned> outstanding;
  /// What was left in registers when products ended, until the next fence.
  std::map<int32_t, std::vector<uint32_t>> delivered;
};

} // namespace weft::ptx

#endif // WEFT_PTXEMULATOR_MATRIX_H
