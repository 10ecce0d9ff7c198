//===- ChannelsLast.cpp - Tensors whose channels are neighbours -----------===//
//
// A block takes a tile of channels and positions: it reads, or computes, the
// elements in the order in which they lie in memory, and writes them from
// shared memory in the other order, 16 bytes at a time. There, a position's
// channels are a row.
//
//===----------------------------------------------------------------------===//

#include "ChannelsLast.h"
#include "Product.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace weft;
using namespace weft::cuda;

static constexpr int32_t kThreads = 256;
/// Bytes that are written at once, and of a long row.
static constexpr int64_t kChunk = 16, kLongRow = 128;

static ArrayRef<int64_t> getShape(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getShape();
}

ChannelsLast::ChannelsLast(KernelBuilder &kernel, Value tensor, Type type)
    : ChannelsLast(kernel, tensor, type,
                   {getShape(tensor).drop_front(2),
                    SmallVector<int64_t>(getShape(tensor).size() - 2, 1),
                    SmallVector<int64_t>(getShape(tensor).size() - 2, 0)}) {}

ChannelsLast::ChannelsLast(KernelBuilder &kernel, Value tensor, Type type,
                           const Sampling &sampling)
    : tensor(tensor), type(type), batch(getShape(tensor)[0]),
      channels(getShape(tensor)[1]),
      positions(llvm::product_of(sampling.sizes)), sizes(sampling.sizes),
      strides(sampling.strides), low(sampling.low), kernel(kernel) {
  offset = kernel.reserveScratch(
      numElements() * type.getIntOrFloatBitWidth() / 8 + kChunk);
}

bool ChannelsLast::hasAll() const {
  auto all = [](ArrayRef<int64_t> values, int64_t wanted) {
    return llvm::all_of(values, [&](int64_t value) { return value == wanted; });
  };
  return getShape(tensor).drop_front(2) == ArrayRef(sizes) && all(strides, 1) &&
         all(low, 0);
}

SmallVector<Value> ChannelsLast::indicesOf(RegionEmitter &e, Value image,
                                           Value channel,
                                           Value position) const {
  SmallVector<Value> all, indices{image, channel};
  for (int64_t size : sizes)
    all.push_back(e.index(size));
  for (auto [index, stride, before] :
       llvm::zip_equal(e.delinearize(position, all), strides, low))
    indices.push_back(e.sub(e.mul(index, e.index(stride)), e.index(before)));
  return indices;
}

Value ChannelsLast::address(RegionEmitter &e, Value position) const {
  ImplicitLocOpBuilder &b = e.builder();
  Value base = kernel.scratchAddress(e, offset);
  position = arith::IndexCastOp::create(b, b.getI64Type(), position);
  return LLVM::GEPOp::create(b, base.getType(), type, base,
                             ValueRange{position});
}

//===----------------------------------------------------------------------===//
// Tiles
//===----------------------------------------------------------------------===//

namespace {
class TileWriter {
public:
  TileWriter(const ChannelsLast &tensor);

  int64_t numBlocks() const {
    return tensor.batch * tilesOfChannels() * tilesOfPositions();
  }
  int64_t sharedBytes() const { return rowBytes * rows; }
  void emit(RegionEmitter &e, Value block, Value shared);

private:
  struct Place {
    Value channel, position; ///< in the tile
  };
  int64_t tilesOfChannels() const {
    return llvm::divideCeil(tensor.channels, channels);
  }
  int64_t tilesOfPositions() const {
    return llvm::divideCeil(tensor.positions, rows);
  }
  int64_t inChunk() const { return kChunk / bytes; }
  Place placeOfRead(RegionEmitter &e, Value number) const;
  Value read(RegionEmitter &e, const Place &at) const;
  Value inTile(RegionEmitter &e, const Place &at, int64_t further) const;
  void keep(RegionEmitter &e, const Place &at, Value value) const;
  void write(RegionEmitter &e, Value number) const;
  Value loadChunk(RegionEmitter &e, const Place &at) const;
  void writeZeros(RegionEmitter &e, Value block) const;
  void forEach(RegionEmitter &e, int64_t count, int64_t together,
               llvm::function_ref<void(ArrayRef<Value>)> body) const;

  ChannelsLast tensor;
  int64_t bytes;     ///< of an element
  int64_t channels;  ///< of a tile
  int64_t rows = 0;  ///< of a tile: positions
  int64_t width = 1; ///< positions that are read at once
  bool isShort;      ///< all positions are fewer than a warp's lanes
  int64_t rowBytes;

  // Of the block.
  Value shared, image, firstChannel, firstPosition, thread;
};
} // namespace

TileWriter::TileWriter(const ChannelsLast &tensor)
    : tensor(tensor), bytes(tensor.type.getIntOrFloatBitWidth() / 8),
      isShort(tensor.positions < kWarp) {
  // Tiles of equal size, as long rows as may be.
  int64_t tiles = llvm::divideCeil(tensor.channels * bytes, kLongRow);
  channels = llvm::alignTo(llvm::divideCeil(tensor.channels, tiles), inChunk());
  rowBytes = channels * bytes;
  if (isShort) {
    rows = tensor.positions;
    return;
  }
  // Two warps' lanes, if there is not less left over with one's.
  int64_t rest = llvm::alignTo(tensor.positions, 2 * kWarp) -
                 llvm::alignTo(tensor.positions, kWarp);
  rows = rest ? kWarp : 2 * kWarp;
  // An odd number of words, so that neighbouring positions share no bank.
  rowBytes += 4;
  auto type = cast<RankedTensorType>(tensor.tensor.getType()).getElementType();
  if (!tensor.tensor.getDefiningOp() && type == tensor.type && tensor.hasAll())
    while (2 * width * bytes <= kChunk && tensor.positions % (2 * width) == 0)
      width *= 2;
}

/// Which elements a thread reads. Lanes of a warp are neighbours along the
/// positions; where each reads several, so many channels at a time, for their
/// banks. Or neighbours along the channels, if there are few positions.
TileWriter::Place TileWriter::placeOfRead(RegionEmitter &e,
                                          Value number) const {
  if (isShort)
    return {e.rem(number, e.index(channels)), e.div(number, e.index(channels))};
  int64_t lanes = kWarp / width, patches = rows / kWarp;
  Value lane = e.rem(number, e.index(lanes));
  Value channel = e.rem(e.div(number, e.index(lanes)), e.index(width));
  Value patch = e.div(number, e.index(kWarp));
  Value position = e.add(e.mul(e.rem(patch, e.index(patches)), e.index(kWarp)),
                         e.mul(lane, e.index(width)));
  patch = e.mul(e.div(patch, e.index(patches)), e.index(width));
  return {e.add(patch, channel), position};
}

Value TileWriter::read(RegionEmitter &e, const Place &at) const {
  Value channel = e.add(firstChannel, at.channel);
  Value position = e.add(firstPosition, at.position);
  // What lies beyond the edges is read from within.
  if (tensor.channels % channels != 0)
    channel = e.min(channel, e.index(tensor.channels - 1));
  if (tensor.positions % rows != 0)
    position = e.min(position, e.index(tensor.positions - width));
  if (width > 1) {
    Value row = e.add(e.mul(image, e.index(tensor.channels)), channel);
    position = e.add(e.mul(row, e.index(tensor.positions)), position);
    return LLVM::LoadOp::create(
        e.builder(), VectorType::get(width, tensor.type),
        e.address(*e.getMemory(tensor.tensor), position), width * bytes);
  }
  auto type = cast<RankedTensorType>(tensor.tensor.getType()).getElementType();
  Value element =
      e.element(tensor.tensor, tensor.indicesOf(e, image, channel, position));
  return widen(e.builder(), element, type, tensor.type);
}

/// The address of what is at `at`, `further` positions after it.
Value TileWriter::inTile(RegionEmitter &e, const Place &at,
                         int64_t further) const {
  Value row = e.add(at.position, e.index(further));
  return elementAt(
      e, shared, e.builder().getI8Type(),
      e.add(e.mul(row, e.index(rowBytes)), e.mul(at.channel, e.index(bytes))));
}

void TileWriter::keep(RegionEmitter &e, const Place &at, Value value) const {
  for (int64_t i : llvm::seq(width))
    LLVM::StoreOp::create(e.builder(), width > 1 ? extract(e, value, i) : value,
                          inTile(e, at, i), bytes);
}

Value TileWriter::loadChunk(RegionEmitter &e, const Place &at) const {
  ImplicitLocOpBuilder &b = e.builder();
  Type word = b.getI32Type();
  int64_t words = kChunk / 4;
  if (rowBytes % kChunk == 0)
    return LLVM::LoadOp::create(b, VectorType::get(words, word),
                                inTile(e, at, 0), kChunk);
  Value chunk = LLVM::PoisonOp::create(b, VectorType::get(words, word));
  for (int64_t i : llvm::seq(words)) {
    Value from = elementAt(e, inTile(e, at, 0), word, e.index(i));
    chunk = LLVM::InsertElementOp::create(
        b, chunk, LLVM::LoadOp::create(b, word, from),
        LLVM::ConstantOp::create(b, word, static_cast<int32_t>(i)));
  }
  return chunk;
}

void TileWriter::write(RegionEmitter &e, Value number) const {
  ImplicitLocOpBuilder &b = e.builder();
  int64_t inRow = channels / inChunk();
  Place at{e.mul(e.rem(number, e.index(inRow)), e.index(inChunk())),
           e.div(number, e.index(inRow))};
  Value channel = e.add(firstChannel, at.channel);
  Value position = e.add(firstPosition, at.position), inside;
  auto need = [&](Value index, int64_t size) {
    Value next = arith::CmpIOp::create(b, arith::CmpIPredicate::slt, index,
                                       e.index(size));
    inside = inside ? Value(arith::AndIOp::create(b, inside, next)) : next;
  };
  if (tensor.channels % channels != 0)
    need(channel, tensor.channels);
  if (tensor.positions % rows != 0)
    need(position, tensor.positions);
  emitIf(e, inside, {}, [&] {
    Value row = e.add(e.mul(image, e.index(tensor.positions)), position);
    Value to = e.add(e.mul(row, e.index(tensor.channels)), channel);
    LLVM::StoreOp::create(b, loadChunk(e, at), tensor.address(e, to), kChunk);
    return SmallVector<Value>();
  });
}

/// Calls `body` for the threads' shares of `count` numbers, up to `together` at
/// a time.
void TileWriter::forEach(RegionEmitter &e, int64_t count, int64_t together,
                         llvm::function_ref<void(ArrayRef<Value>)> body) const {
  int64_t turns = count / kThreads;
  auto numbers = [&](Value first, int64_t turns) {
    return llvm::map_to_vector(llvm::seq(turns), [&](int64_t turn) {
      return e.add(first, e.index(turn * kThreads));
    });
  };
  int64_t groups = turns / together;
  if (groups > 0)
    e.loop(e.index(0), e.index(groups), {}, [&](Value group, ValueRange) {
      Value first = e.mul(group, e.index(together * kThreads));
      body(numbers(e.add(first, thread), together));
      return SmallVector<Value>();
    });
  int64_t done = groups * together;
  if (done < turns)
    body(numbers(e.add(thread, e.index(done * kThreads)), turns - done));
  if (count % kThreads == 0)
    return;
  Value last = e.add(thread, e.index(turns * kThreads));
  Value isOne = arith::CmpIOp::create(e.builder(), arith::CmpIPredicate::slt,
                                      last, e.index(count));
  emitIf(e, isOne, {}, [&] {
    body(last);
    return SmallVector<Value>();
  });
}

void TileWriter::writeZeros(RegionEmitter &e, Value block) const {
  ImplicitLocOpBuilder &b = e.builder();
  Value number = e.add(e.mul(block, e.index(kThreads)), thread);
  Value isFirst =
      arith::CmpIOp::create(b, arith::CmpIPredicate::eq, number, e.index(0));
  emitIf(e, isFirst, {}, [&] {
    LLVM::StoreOp::create(b, zeroOf(e, VectorType::get(4, b.getI32Type())),
                          tensor.address(e, e.index(tensor.numElements())),
                          kChunk);
    return SmallVector<Value>();
  });
}

void TileWriter::emit(RegionEmitter &e, Value block, Value memory) {
  shared = memory;
  thread = emitThread(e);
  writeZeros(e, block);
  SmallVector<Value> at =
      e.delinearize(block, {e.index(tensor.batch), e.index(tilesOfPositions()),
                            e.index(tilesOfChannels())});
  image = at[0];
  firstPosition = e.mul(at[1], e.index(rows));
  firstChannel = e.mul(at[2], e.index(channels));
  constexpr int64_t kTogether = 8;
  forEach(e, channels * rows / width, kTogether, [&](ArrayRef<Value> numbers) {
    // All are asked for before any is kept.
    SmallVector<Place> places;
    SmallVector<Value> values;
    for (Value number : numbers) {
      places.push_back(placeOfRead(e, number));
      values.push_back(read(e, places.back()));
    }
    for (auto [at, value] : llvm::zip_equal(places, values))
      keep(e, at, value);
  });
  barrier(e);
  forEach(e, channels / inChunk() * rows, kTogether,
          [&](ArrayRef<Value> numbers) {
            for (Value number : numbers)
              write(e, number);
          });
}

void weft::cuda::addChannelsLastTask(KernelBuilder &kernel,
                                     ArrayRef<ChannelsLast> tensors) {
  std::vector<TileWriter> writers(tensors.begin(), tensors.end());
  int64_t blocks = 0, sharedBytes = 0;
  for (const TileWriter &writer : writers) {
    blocks += writer.numBlocks();
    sharedBytes = std::max(sharedBytes, writer.sharedBytes());
  }
  kernel.addBlocks(
      kThreads, [&](RegionEmitter &e) { return e.index(blocks); },
      [&](RegionEmitter &e, Value block) {
        Value shared =
            kernel.sharedMemory(e, e.builder().getI8Type(), sharedBytes);
        int64_t first = 0;
        for (TileWriter &writer : writers) {
          Value number = e.sub(block, e.index(first));
          first += writer.numBlocks();
          // A block's number is that of one tensor.
          ImplicitLocOpBuilder &b = e.builder();
          Value isOurs =
              arith::CmpIOp::create(b, arith::CmpIPredicate::ult, number,
                                    e.index(writer.numBlocks()));
          emitIf(e, isOurs, {}, [&] {
            writer.emit(e, number, shared);
            return SmallVector<Value>();
          });
        }
      });
}
