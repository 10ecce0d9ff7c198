//===- Wgmma.cpp - Asynchronous products of a warp group ------------------===//
//
// Each warp of the four computes its 16 rows of the 64. Factors in shared
// memory are read by the asynchronous proxy: at issue, or in `Mode::Lazy` when
// the product's group is waited for.
//
//===----------------------------------------------------------------------===//

#include "Matrix.h"
#include "MemoryOperand.h"

#include <charconv>

using namespace weft::ptx;

namespace {

struct GroupProduct {
  unsigned n = 0, k = 0;
  Element a, b;
  Sum sum;
  bool saturate = false;
  bool leftInRegisters = false;
  /// The factor is contiguous along rows (columns of the right one) rather than
  /// along k.
  bool transposeA = false, transposeB = false;
  bool negateA = false, negateB = false;
  std::vector<int32_t> d, left;
  int32_t descriptorA = kNoOperand, descriptorB = kNoOperand;
  /// Whether the sums start from what is in d: a predicate.
  int32_t scale = kNoOperand;
  bool scaleNegated = false;
};

/// A matrix descriptor, taken apart.
struct Layout {
  uint32_t start, leading, stride;
  /// Bytes that are swizzled together; 16 without swizzling.
  uint32_t span;
  uint32_t mask;

  uint32_t swizzled(uint32_t address) const {
    return address ^ (address >> 7 & mask) << 4;
  }
};

Layout layoutOf(const Warp &warp, uint64_t descriptor) {
  Layout layout;
  layout.start = uint32_t(descriptor & 0x3fff) << 4;
  layout.leading = uint32_t(descriptor >> 16 & 0x3fff) << 4;
  layout.stride = uint32_t(descriptor >> 32 & 0x3fff) << 4;
  unsigned mode = unsigned(descriptor >> 62);
  layout.span = mode == 0 ? 16 : 256u >> mode;
  layout.mask = mode == 0 ? 0 : (8u >> (mode - 1)) - 1;
  if (descriptor >> 49 & 7)
    warp.fail(FaultKind::Unsupported,
              "a base offset in the descriptor of a matrix");
  uint64_t known = 0x3fffull | 0x3fffull << 16 | 0x3fffull << 32 | 3ull << 62;
  if (descriptor & ~known)
    warp.fail(FaultKind::BadDescriptor,
              "bits of the matrix descriptor are set that mean nothing");
  return layout;
}

/// Where the 16 bytes begin that hold the element (row, byte of k) of a factor
/// that is contiguous along k.
uint32_t chunkAlongK(const Layout &layout, uint32_t row, uint32_t byte) {
  uint32_t address =
      layout.start + row % 8 * layout.span + row / 8 * layout.stride;
  address += layout.mask ? byte : byte / 16 * layout.leading;
  return layout.swizzled(address);
}

/// The same of a factor that is contiguous along its rows' index: 8 elements of
/// 16 bits, from `row` on, at one k.
uint32_t chunkAlongRows(const Layout &layout, uint32_t row, uint32_t k) {
  uint32_t per = layout.span / 2;
  uint32_t address = layout.start + row % per * 2 + k % 8 * layout.span;
  if (layout.mask)
    address += row / per * layout.leading + k / 8 * layout.stride;
  else
    address += row / per * layout.stride + k / 8 * layout.leading;
  return layout.swizzled(address);
}

/// Reads a factor as [rows][k].
class FactorReader {
public:
  FactorReader(Warp &warp, Element element, const AsyncIdentity &identity)
      : warp(warp), element(element), identity(identity) {}

  std::vector<float> read(uint64_t descriptor, bool alongRows, unsigned first,
                          unsigned rows, unsigned k) {
    Layout layout = layoutOf(warp, descriptor);
    std::vector<float> values(size_t(rows) * k);
    unsigned per = 128 / bitsOf(element);
    float chunk[16];
    if (!alongRows) {
      for (unsigned row = 0; row < rows; ++row)
        for (unsigned at = 0; at < k; at += per) {
          readChunk(chunkAlongK(layout, first + row, at * bitsOf(element) / 8),
                    chunk);
          std::copy(chunk, chunk + per, values.begin() + row * k + at);
        }
      return values;
    }
    for (unsigned row = 0; row < rows; row += per)
      for (unsigned at = 0; at < k; ++at) {
        readChunk(chunkAlongRows(layout, first + row, at), chunk);
        for (unsigned i = 0; i < per; ++i)
          values[(row + i) * k + at] = chunk[i];
      }
    return values;
  }

private:
  void readChunk(uint32_t offset, float *values) {
    uint32_t address = offset | (warp.block->rank + 1) << kRankShift;
    checkProxy(warp, address, 16, 0);
    const uint8_t *bytes =
        accessMemory(warp, address, 16,
                     asyncAccess(Access::Read, Space::Shared, 0, identity, 16));
    unsigned per = 32 / bitsOf(element);
    for (unsigned word = 0; word < 4; ++word) {
      uint32_t bits;
      memcpy(&bits, bytes + word * 4, 4);
      unpack(element, bits, values + word * per);
    }
  }

  Warp &warp;
  Element element;
  AsyncIdentity identity;
};

// What a product reads when it is computed.
struct Issue {
  uint64_t a = 0, b = 0;
  bool scale = true;
  AsyncIdentity identity;
};

void negate(std::vector<float> &values) {
  for (float &value : values)
    value = -value;
}

void compute(Warp &warp, const GroupProduct &how, const Issue &issue,
             Accumulator &sums) {
  std::vector<float> a(size_t(16) * how.k);
  if (how.leftInRegisters)
    loadLeft(warp, how.a, how.left.data(), how.k, a.data());
  else
    a = FactorReader(warp, how.a, issue.identity)
            .read(issue.a, how.transposeA, warp.index % 4 * 16, 16, how.k);
  std::vector<float> columns =
      FactorReader(warp, how.b, issue.identity)
          .read(issue.b, how.transposeB, 0, how.n, how.k);
  if (how.negateA)
    negate(a);
  if (how.negateB)
    negate(columns);
  std::vector<float> b(columns.size());
  for (unsigned j = 0; j < how.n; ++j)
    for (unsigned l = 0; l < how.k; ++l)
      b[l * how.n + j] = columns[j * how.k + l];
  if (!issue.scale)
    sums.clear();
  sums.add(a.data(), b.data(), how.k, how.saturate);
}

MatrixQueue &queueOf(Warp &warp) {
  if (!warp.matrix)
    warp.matrix = std::make_unique<MatrixQueue>();
  return *warp.matrix;
}

std::vector<uint32_t> registersOf(const Warp &warp,
                                  const std::vector<int32_t> &list) {
  std::vector<uint32_t> values;
  for (int32_t offset : list)
    values.insert(values.end(), warp.in<uint32_t>(offset),
                  warp.in<uint32_t>(offset) + kLanes);
  return values;
}

// What is in registers must have been fenced since something else wrote it.
void checkFence(Warp &warp, const GroupProduct &how) {
  MatrixQueue &queue = *warp.matrix;
  if (!queue.fenced)
    warp.fail(FaultKind::Race,
              "a product is issued with no wgmma.fence before it");
  auto found = queue.delivered.find(how.d.front());
  if (found != queue.delivered.end() &&
      found->second != registersOf(warp, how.d))
    warp.fail(FaultKind::Race,
              "the sums were changed with no wgmma.fence after that");
}

// Sums of products that have all ended go back to their registers.
void deliver(Warp &warp, const GroupProduct &how) {
  MatrixQueue &queue = *warp.matrix;
  int32_t key = how.d.front();
  if (--queue.outstanding[key])
    return;
  queue.underWay.at(key).store(warp, how.d.data());
  queue.underWay.erase(key);
  queue.delivered[key] = registersOf(warp, how.d);
}

// Until then, what is in the registers is not to be used.
void poison(const Warp &warp, const std::vector<int32_t> &list) {
  for (int32_t offset : list)
    std::fill_n(warp.out<uint32_t>(offset), kLanes, UINT32_MAX);
}

void multiplyAsync(Warp &warp, const Instr &instr, Mask) {
  const auto &how = *static_cast<const GroupProduct *>(instr.detail);
  MatrixQueue &queue = queueOf(warp);
  ++warp.cluster->counters.mma;
  checkFence(warp, how);
  Issue issue;
  issue.identity = startAsync(warp);
  if (!how.leftInRegisters)
    issue.a = warp.in<uint64_t>(how.descriptorA)[0];
  issue.b = warp.in<uint64_t>(how.descriptorB)[0];
  Mask scale = *warp.in<Mask>(how.scale);
  issue.scale = ((how.scaleNegated ? ~scale : scale) & 1) != 0;
  bool lazy = warp.launch->options->mode == Mode::Lazy;
  PendingProduct product{queue.committed, {}, issue.identity};
  int32_t key = how.d.front();
  if (lazy) {
    auto [entry, isNew] =
        queue.underWay.try_emplace(key, Accumulator(how.sum, how.n));
    if (isNew) {
      entry->second.load(warp, how.d.data());
      poison(warp, how.d);
    }
    ++queue.outstanding[key];
    product.finish = [&warp, &how, &instr, issue] {
      IssuedBy issued(warp, instr);
      compute(warp, how, issue, warp.matrix->underWay.at(how.d.front()));
      deliver(warp, how);
    };
  } else {
    Accumulator sums(how.sum, how.n);
    sums.load(warp, how.d.data());
    compute(warp, how, issue, sums);
    sums.store(warp, how.d.data());
    queue.delivered[key] = registersOf(warp, how.d);
  }
  queue.pending.push_back(std::move(product));
}

void fence(Warp &warp, const Instr &, Mask) {
  MatrixQueue &queue = queueOf(warp);
  queue.fenced = true;
  queue.delivered.clear();
}

void commit(Warp &warp, const Instr &, Mask) { ++queueOf(warp).committed; }

void wait(Warp &warp, const Instr &instr, Mask) {
  MatrixQueue &queue = queueOf(warp);
  while (!queue.pending.empty() &&
         queue.pending.front().group + uint64_t(instr.imm) < queue.committed) {
    PendingProduct product = std::move(queue.pending.front());
    queue.pending.erase(queue.pending.begin());
    if (product.finish)
      product.finish();
    endOperation(warp, product.identity);
  }
}

//===----------------------------------------------------------------------===//
// Decoding

// `m64n128k16`
void takeShape(Decoder &decoder, GroupProduct &how) {
  std::string_view shape = decoder.takeNext();
  if (!shape.starts_with("m64n"))
    decoder.fail("a shape m64nNkK is missing");
  const char *at = shape.data() + 4, *end = shape.data() + shape.size();
  at = std::from_chars(at, end, how.n).ptr;
  if (at == end || *at++ != 'k')
    decoder.fail("a shape m64nNkK is missing");
  std::from_chars(at, end, how.k);
  if (how.n < 8 || how.n > 256 || how.n % 8)
    decoder.fail("n is a multiple of 8 up to 256");
}

void takeTypes(Decoder &decoder, GroupProduct &how) {
  Type sum = decoder.takeType(), a = decoder.takeType(), b = decoder.takeType();
  if (!elementOf(a, how.a) || !elementOf(b, how.b) ||
      bitsOf(how.a) != bitsOf(how.b))
    decoder.fail("these types of factors are not supported");
  bool integers = how.a == Element::S8 || how.a == Element::U8;
  if (sum == Type::S32 && integers)
    how.sum = Sum::S32;
  else if (sum == Type::F32 && !integers)
    how.sum = Sum::F32;
  else if (sum == Type::F16 && !integers && how.a != Element::BF16 &&
           how.a != Element::TF32)
    how.sum = Sum::F16;
  else
    decoder.fail("this type of a sum is not supported");
  if (how.k != 256 / bitsOf(how.a))
    decoder.fail("k is " + std::to_string(256 / bitsOf(how.a)) +
                 " for these types");
}

// What follows the factors: the scale of d, signs of a and b, transpositions.
void takeScales(Decoder &decoder, GroupProduct &how, size_t next) {
  how.scale = decoder.predicate(decoder.operand(next++), how.scaleNegated);
  auto flag = [&](const char *what, int64_t off, int64_t on) {
    int64_t value = decoder.immediate(decoder.operand(next++));
    if (value != off && value != on)
      decoder.fail(std::string(what) + " cannot be " + std::to_string(value));
    return value == on;
  };
  if (how.sum != Sum::S32) {
    how.negateA = flag("the sign of a", 1, -1);
    how.negateB = flag("the sign of b", 1, -1);
    if (bitsOf(how.a) == 16) {
      if (!how.leftInRegisters)
        how.transposeA = flag("the transposition of a", 0, 1);
      how.transposeB = flag("the transposition of b", 0, 1);
    }
  }
  decoder.expectCount(next, next);
}

void decodeProduct(Decoder &decoder) {
  GroupProduct how;
  takeShape(decoder, how);
  how.saturate = decoder.take("satfinite");
  takeTypes(decoder, how);
  decoder.program.usesAsyncProxy = true;
  Type type = how.sum == Sum::F32 ? Type::F32 : Type::B32;
  for (const Operand *part : decoder.elements(decoder.operand(0)))
    how.d.push_back(decoder.target(*part, type));
  size_t wanted = Accumulator(how.sum, how.n).registers();
  if (how.d.size() != wanted)
    decoder.fail("d has " + std::to_string(how.d.size()) +
                 " registers instead of " + std::to_string(wanted));
  how.leftInRegisters = decoder.operand(1).kind == Operand::Vector;
  if (how.leftInRegisters) {
    for (const Operand &part : decoder.operand(1).parts)
      how.left.push_back(decoder.source(part, Type::B32));
    if (how.left.size() != 4)
      decoder.fail("a has 4 registers");
  } else {
    how.descriptorA = decoder.source(1, Type::B64);
  }
  how.descriptorB = decoder.source(2, Type::B64);
  takeScales(decoder, how, 3);
  decoder.instr.detail = decoder.addDetail(how);
  decoder.instr.run = multiplyAsync;
}

void decodeWgmma(Decoder &decoder) {
  Instr &instr = decoder.instr;
  instr.kind = Kind::WholeWarp;
  std::string_view what = decoder.takeNext();
  if (!decoder.take("sync"))
    decoder.fail("'.sync' is missing");
  decoder.take("aligned");
  if (what == "mma_async") {
    decodeProduct(decoder);
  } else if (what == "fence") {
    instr.run = fence;
  } else if (what == "commit_group") {
    instr.run = commit;
  } else if (what == "wait_group") {
    decoder.expectCount(1, 1);
    instr.imm = decoder.immediate(decoder.operand(0));
    instr.run = wait;
  } else {
    decoder.fail("this form is not supported");
  }
  decoder.emit();
}

} // namespace

DecodeTable weft::ptx::wgmmaTable() { return {{"wgmma", decodeWgmma}}; }
