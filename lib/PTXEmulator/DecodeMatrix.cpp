//===- DecodeMatrix.cpp - mma.sync, ldmatrix, stmatrix --------------------===//

#include "Matrix.h"
#include "MemoryOperand.h"

#include <charconv>

using namespace weft::ptx;

namespace {

struct Product {
  unsigned m, n, k;
  Element a, b;
  Sum sum, result;
  bool saturate = false;
  /// Registers of d, a, b and c.
  std::vector<int32_t> d, left, right, c;
};

// Of m8, the upper half of 16 rows is zero.
void multiply(Warp &warp, const Instr &instr, Mask) {
  const auto &how = *static_cast<const Product *>(instr.detail);
  ++warp.cluster->counters.mma;
  unsigned k = how.k;
  std::vector<float> a(size_t(16) * k, 0.0f), b(size_t(k) * 8);
  loadLeft(warp, how.a, how.left.data(), k, a.data());
  unsigned per = 32 / bitsOf(how.b);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    for (unsigned r = 0; r < how.right.size(); ++r) {
      float values[4];
      unpack(how.b, warp.in<uint32_t>(how.right[r])[lane], values);
      for (unsigned i = 0; i < per; ++i)
        b[(r * 4 * per + lane % 4 * per + i) * 8 + lane / 4] = values[i];
    }
  Accumulator sums(how.sum, 8);
  sums.load(warp, how.c.data());
  sums.add(a.data(), b.data(), k, how.saturate);
  sums.store(warp, how.d.data());
}

// Byte products of 8 rows: as 16, with the lower half unused.
void multiplySmall(Warp &warp, const Instr &instr, Mask) {
  const auto &how = *static_cast<const Product *>(instr.detail);
  ++warp.cluster->counters.mma;
  int32_t d[8][8] = {};
  int32_t a[8][16], b[16][8];
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    float left[4], right[4];
    unpack(how.a, warp.in<uint32_t>(how.left[0])[lane], left);
    unpack(how.b, warp.in<uint32_t>(how.right[0])[lane], right);
    for (unsigned i = 0; i < 4; ++i) {
      a[lane / 4][lane % 4 * 4 + i] = int32_t(left[i]);
      b[lane % 4 * 4 + i][lane / 4] = int32_t(right[i]);
    }
  }
  for (unsigned i = 0; i < 8; ++i)
    for (unsigned j = 0; j < 8; ++j)
      for (unsigned l = 0; l < 16; ++l)
        d[i][j] += a[i][l] * b[l][j];
  for (unsigned lane = 0; lane < kLanes; ++lane)
    for (unsigned i = 0; i < 2; ++i) {
      int64_t sum = int64_t(warp.in<int32_t>(how.c[i])[lane]) +
                    d[lane / 4][lane % 4 * 2 + i];
      if (how.saturate)
        sum = std::min<int64_t>(std::max<int64_t>(sum, INT32_MIN), INT32_MAX);
      warp.out<int32_t>(how.d[i])[lane] = int32_t(uint32_t(sum));
    }
}

void multiplyDouble(Warp &warp, const Instr &instr, Mask) {
  const auto &how = *static_cast<const Product *>(instr.detail);
  ++warp.cluster->counters.mma;
  unsigned halves = how.m / 8, k = how.k;
  std::vector<double> a(how.m * k), b(k * 8), d(how.m * 8);
  for (unsigned lane = 0; lane < kLanes; ++lane) {
    unsigned group = lane / 4, thread = lane % 4;
    for (unsigned r = 0; r < how.left.size(); ++r)
      a[(group + 8 * (r % halves)) * k + r / halves * 4 + thread] =
          warp.in<double>(how.left[r])[lane];
    for (unsigned r = 0; r < how.right.size(); ++r)
      b[(r * 4 + thread) * 8 + group] = warp.in<double>(how.right[r])[lane];
    for (unsigned r = 0; r < how.c.size(); ++r)
      d[(group + 8 * (r / 2)) * 8 + thread * 2 + r % 2] =
          warp.in<double>(how.c[r])[lane];
  }
  for (unsigned i = 0; i < how.m; ++i)
    for (unsigned j = 0; j < 8; ++j)
      for (unsigned l = 0; l < k; ++l)
        d[i * 8 + j] = std::fma(a[i * k + l], b[l * 8 + j], d[i * 8 + j]);
  for (unsigned lane = 0; lane < kLanes; ++lane)
    for (unsigned r = 0; r < how.d.size(); ++r)
      warp.out<double>(how.d[r])[lane] =
          d[(lane / 4 + 8 * (r / 2)) * 8 + lane % 4 * 2 + r % 2];
}

//===----------------------------------------------------------------------===//
// Decoding mma

// `m16n8k16`
void takeShape(Decoder &decoder, Product &how) {
  std::string_view shape = decoder.takeNext();
  unsigned *fields[] = {&how.m, &how.n, &how.k};
  const char *at = shape.data(), *end = at + shape.size();
  for (unsigned i = 0; i < 3; ++i) {
    if (at == end || *at++ != "mnk"[i])
      decoder.fail("a shape is missing");
    at = std::from_chars(at, end, *fields[i]).ptr;
  }
}

std::vector<int32_t> registersOf(Decoder &decoder, size_t index, Type type,
                                 size_t count, bool written) {
  auto parts = decoder.elements(decoder.operand(index));
  if (parts.size() != count)
    decoder.fail("operand " + std::to_string(index + 1) + " has " +
                 std::to_string(parts.size()) + " registers instead of " +
                 std::to_string(count));
  std::vector<int32_t> registers;
  for (const Operand *part : parts)
    registers.push_back(written ? decoder.target(*part, type)
                                : decoder.source(*part, type));
  return registers;
}

Sum sumOf(Decoder &decoder, Type type) {
  switch (type) {
  case Type::F32:
    return Sum::F32;
  case Type::F16:
    return Sum::F16;
  case Type::S32:
    return Sum::S32;
  default:
    decoder.fail("this type of a sum is not supported");
  }
}

void decodeDouble(Decoder &decoder, Product &how) {
  bool known = how.n == 8 && ((how.m == 8 && how.k == 4) ||
                              (how.m == 16 && how.k <= 16 && how.k % 4 == 0));
  if (!known)
    decoder.fail("this shape is not supported for .f64");
  unsigned halves = how.m / 8;
  how.d = registersOf(decoder, 0, Type::F64, 2 * halves, true);
  how.left = registersOf(decoder, 1, Type::F64, halves * how.k / 4, false);
  how.right = registersOf(decoder, 2, Type::F64, how.k / 4, false);
  how.c = registersOf(decoder, 3, Type::F64, 2 * halves, false);
  decoder.instr.run = multiplyDouble;
}

void checkShape(Decoder &decoder, const Product &how) {
  unsigned bits = bitsOf(how.a), chunk = 128 / bits;
  bool small = how.m == 8 && how.k == 16 && bits == 8 && how.sum == Sum::S32;
  bool normal = how.m == 16 && (how.k == chunk || how.k == 2 * chunk);
  if (how.n != 8 || (!small && !normal))
    decoder.fail("this shape is not supported for these types");
  bool integers = how.a == Element::S8 || how.a == Element::U8;
  if (bitsOf(how.b) != bits || integers != (how.sum == Sum::S32) ||
      (how.sum == Sum::F16 && how.a != Element::F16 && bits != 8))
    decoder.fail("these types are not supported together");
}

void decodeMma(Decoder &decoder) {
  Product how;
  if (!decoder.take("sync"))
    decoder.fail("'.sync' is missing");
  decoder.take("aligned");
  takeShape(decoder, how);
  if (!decoder.take("row") || !decoder.take("col"))
    decoder.fail("only '.row.col' is supported");
  how.saturate = decoder.take("satfinite");
  decoder.expectCount(4, 4);
  Type d = decoder.takeType(), a = decoder.takeType(), b = decoder.takeType(),
       c = decoder.takeType();
  decoder.instr.kind = Kind::WholeWarp;
  if (a == Type::F64) {
    decodeDouble(decoder, how);
  } else {
    if (!elementOf(a, how.a) || !elementOf(b, how.b))
      decoder.fail("this type of a factor is not supported");
    how.sum = sumOf(decoder, c);
    how.result = sumOf(decoder, d);
    if (how.sum != how.result)
      decoder.fail("sums and results of different types are not supported");
    checkShape(decoder, how);
    unsigned halves = how.m / 8, per = 128 / bitsOf(how.a);
    unsigned sums = halves * (how.sum == Sum::F16 ? 1 : 2);
    Type type = how.sum == Sum::F32 ? Type::F32 : Type::B32;
    how.d = registersOf(decoder, 0, type, sums, true);
    how.left = registersOf(decoder, 1, Type::B32, halves * how.k / per, false);
    how.right = registersOf(decoder, 2, Type::B32, how.k / per, false);
    how.c = registersOf(decoder, 3, type, sums, false);
    decoder.instr.run = how.m == 8 ? multiplySmall : multiply;
  }
  decoder.instr.detail = decoder.addDetail(how);
  decoder.emit();
}

//===----------------------------------------------------------------------===//
// ldmatrix, stmatrix, movmatrix: 8 x 8 elements of 16 bits

struct MatrixTransfer {
  Space space;
  unsigned count;
  bool transposed;
  std::vector<int32_t> registers;
};

void countRows(Warp &warp, const Instr &instr, unsigned count) {
  if (warp.cluster->lines.empty())
    return;
  uint64_t addresses[kLanes];
  Mask lanes = count == 4 ? kAllLanes : (Mask(1) << (8 * count)) - 1;
  forLanes(lanes, [&](unsigned lane) {
    addresses[lane] = addressAt(warp, instr, lane);
  });
  countShared(warp, addresses, lanes, 16);
}

// The row of a matrix: its address is that of lane 8 * matrix + row.
uint8_t *rowAt(Warp &warp, const Instr &instr, const MatrixTransfer &how,
               unsigned matrix, unsigned row, Access access) {
  AccessInfo info;
  info.access = access;
  info.space = how.space;
  info.lane = matrix * 8 + row;
  return accessMemory(warp, addressAt(warp, instr, info.lane), 16, info);
}

// Which element of a matrix a lane holds in one half of its register.
void place(bool transposed, unsigned lane, unsigned half, unsigned &row,
           unsigned &column) {
  row = lane / 4;
  column = lane % 4 * 2 + half;
  if (transposed)
    std::swap(row, column);
}

void loadMatrix(Warp &warp, const Instr &instr, Mask) {
  const auto &how = *static_cast<const MatrixTransfer *>(instr.detail);
  countRows(warp, instr, how.count);
  // All is read before anything is written: the address may be overwritten.
  uint16_t rows[4][8][8];
  for (unsigned matrix = 0; matrix < how.count; ++matrix)
    for (unsigned row = 0; row < 8; ++row)
      memcpy(rows[matrix][row],
             rowAt(warp, instr, how, matrix, row, Access::Read), 16);
  for (unsigned matrix = 0; matrix < how.count; ++matrix)
    for (unsigned at = 0; at < kLanes * 2; ++at) {
      unsigned row, column;
      place(how.transposed, at / 2, at % 2, row, column);
      warp.out<uint16_t>(how.registers[matrix])[at] = rows[matrix][row][column];
    }
}

void storeMatrix(Warp &warp, const Instr &instr, Mask) {
  const auto &how = *static_cast<const MatrixTransfer *>(instr.detail);
  countRows(warp, instr, how.count);
  for (unsigned matrix = 0; matrix < how.count; ++matrix) {
    uint16_t rows[8][8];
    for (unsigned at = 0; at < kLanes * 2; ++at) {
      unsigned row, column;
      place(how.transposed, at / 2, at % 2, row, column);
      rows[row][column] = warp.in<uint16_t>(how.registers[matrix])[at];
    }
    for (unsigned row = 0; row < 8; ++row)
      memcpy(rowAt(warp, instr, how, matrix, row, Access::Write), rows[row],
             16);
  }
}

void decodeMatrixTransfer(Decoder &decoder) {
  bool loads = decoder.name() == "ldmatrix";
  MatrixTransfer how;
  if (!decoder.take("sync"))
    decoder.fail("'.sync' is missing");
  decoder.take("aligned");
  if (!decoder.take("m8n8"))
    decoder.fail("only '.m8n8' is supported");
  how.transposed = decoder.take("trans");
  how.count = decoder.take("x4") ? 4 : decoder.take("x2") ? 2 : 1;
  decoder.take("x1");
  how.space = takeMemorySpace(decoder);
  if (!decoder.take("b16"))
    decoder.fail("only '.b16' is supported");
  decoder.expectCount(2, 2);
  how.space = decoder.address(decoder.operand(loads ? 1 : 0), how.space);
  how.registers =
      registersOf(decoder, loads ? 0 : 1, Type::B32, how.count, loads);
  decoder.instr.detail = decoder.addDetail(how);
  decoder.instr.kind = Kind::WholeWarp;
  decoder.instr.run = loads ? loadMatrix : storeMatrix;
  decoder.emit();
}

void moveMatrix(Warp &warp, const Instr &instr, Mask) {
  uint16_t matrix[8][8];
  for (unsigned at = 0; at < kLanes * 2; ++at)
    matrix[at / 8][at % 8] = warp.in<uint16_t>(instr.a)[at];
  for (unsigned at = 0; at < kLanes * 2; ++at)
    warp.out<uint16_t>(instr.d)[at] = matrix[at % 8][at / 8];
}

void decodeMoveMatrix(Decoder &decoder) {
  for (std::string_view part : {"sync", "aligned", "m8n8", "trans", "b16"})
    if (!decoder.take(part))
      decoder.fail("'." + std::string(part) + "' is missing");
  decoder.expectCount(2, 2);
  decoder.instr.d = decoder.target(0, Type::B32);
  decoder.instr.a = decoder.source(1, Type::B32);
  decoder.instr.kind = Kind::WholeWarp;
  decoder.instr.run = moveMatrix;
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::matrixTable() {
  return {{"mma", decodeMma},
          {"ldmatrix", decodeMatrixTransfer},
          {"stmatrix", decodeMatrixTransfer},
          {"movmatrix", decodeMoveMatrix}};
}
