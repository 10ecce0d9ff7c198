//===- Loader.cpp - Batches, made ahead by threads ------------------------===//

#include "weft/Runtime/Data/Loader.h"
#include "Guard.h"
#include "weft/Runtime/Data/Files.h"
#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <system_error>
#include <thread>

using namespace weft::data;

namespace {
/// Memory for a batch, and how far it is.
struct Slot {
  Batch batch;
  std::vector<Buffer> buffers;
  int64_t left = 0; ///< samples that are not there yet
  /// The first sample, by position, that can't be read.
  Status status;
  int64_t badPosition = 0;
};

/// Samples [begin, end) of a batch.
struct Part {
  Slot *slot;
  int64_t begin, end;
};

class ThreadedLoader : public Loader {
public:
  ThreadedLoader(const DataSet &set, std::vector<int64_t> samples,
                 const LoaderOptions &options)
      : set(set), wanted(options), all(std::move(samples)) {}
  ~ThreadedLoader() override;

  Status initialize();

  int64_t samples() const override {
    return wanted.dropPartial ? batches() * wanted.batch : count();
  }
  int64_t batches() const override {
    return (count() + (wanted.dropPartial ? 0 : wanted.batch - 1)) /
           wanted.batch;
  }
  const DataSet &dataSet() const override { return set; }
  const LoaderOptions &options() const override { return wanted; }
  void start(int64_t epoch, int64_t firstBatch) override;
  Result<const Batch *> next() override;
  const Batch *peek() override;

private:
  int64_t count() const { return static_cast<int64_t>(all.size()); }
  Slot &slotOf(int64_t batch) { return slots[batch % slots.size()]; }
  Status allocate(Slot &slot);
  void open(int64_t number);
  bool claim(Part &part);
  void fill(const Part &part, std::unique_lock<std::mutex> &lock);
  void work();
  /// Fills a batch without the help of threads, if there are none.
  void make(int64_t number, std::unique_lock<std::mutex> &lock);
  bool isReady(int64_t number) {
    return opened > number && slotOf(number).left == 0;
  }

  const DataSet &set;
  const LoaderOptions wanted;
  const std::vector<int64_t> all;

  std::mutex mutex; ///< guards what follows
  std::condition_variable workers, caller;
  std::vector<Slot> slots;
  std::vector<std::thread> threads;
  std::vector<int64_t> order; ///< of this epoch
  int64_t epoch = 0;
  int64_t given = 0;   ///< the batch that the next call gives
  int64_t opened = 0;  ///< batches before this one have a slot
  int64_t filling = 0; ///< the batch that samples are claimed from
  int64_t at = 0;      ///< the next sample of it
  int busy = 0;        ///< threads that fill
  bool started = false, stopped = false;
};
} // namespace

ThreadedLoader::~ThreadedLoader() {
  {
    std::lock_guard lock(mutex);
    stopped = true;
  }
  workers.notify_all();
  for (std::thread &thread : threads)
    thread.join();
}

Status ThreadedLoader::allocate(Slot &slot) {
  for (const Field &field : set.fields()) {
    weft_tensor tensor = {};
    tensor.dtype = field.dtype;
    tensor.rank = static_cast<int32_t>(field.dims.size() + 1);
    tensor.dims[0] = wanted.batch;
    std::copy(field.dims.begin(), field.dims.end(), tensor.dims + 1);
    if (!multiply({tensor.dims, static_cast<size_t>(tensor.rank)},
                  bytesOf(field.dtype), tensor.bytes))
      tensor.bytes = -1;
    Result<Buffer> buffer = Buffer::allocate(
        tensor.bytes, "a batch of " + std::to_string(wanted.batch) +
                          " samples of '" + field.name + "'");
    if (!buffer.ok())
      return buffer.status();
    tensor.data = buffer->data();
    slot.buffers.push_back(buffer.take());
    slot.batch.tensors.push_back(tensor);
  }
  return {};
}

Status ThreadedLoader::initialize() {
  // One more for the batch that the caller is looking at.
  slots.resize(std::min<int64_t>(wanted.ahead, batches()) + 1);
  for (Slot &slot : slots)
    if (Status status = allocate(slot); !status.ok())
      return status;
  for (int i = 0; i < wanted.threads; ++i) {
    try {
      threads.emplace_back([this] { work(); });
    } catch (const std::system_error &error) {
      return Status(Error::Thread, "thread " + std::to_string(i + 1) + " of " +
                                       std::to_string(wanted.threads) +
                                       " that load data can't be started (" +
                                       error.what() + "); ask for fewer");
    }
  }
  return {};
}

void ThreadedLoader::start(int64_t newEpoch, int64_t firstBatch) {
  std::unique_lock lock(mutex);
  started = false;
  caller.wait(lock, [&] { return busy == 0; });
  epoch = newEpoch;
  order = all;
  if (wanted.shuffle)
    shuffle(order, Random(wanted.seed, Random::Order,
                          static_cast<uint32_t>(epoch), 0));
  given = opened = filling = firstBatch;
  at = 0;
  started = true;
  workers.notify_all();
}

/// Gives batch `number` its slot.
void ThreadedLoader::open(int64_t number) {
  Slot &slot = slotOf(number);
  int64_t begin = number * wanted.batch;
  int64_t size = std::min(wanted.batch, count() - begin);
  slot.batch.number = number;
  slot.batch.samples.assign(order.begin() + begin,
                            order.begin() + begin + size);
  for (weft_tensor &tensor : slot.batch.tensors) {
    tensor.bytes = tensor.bytes / std::max<int64_t>(tensor.dims[0], 1) * size;
    tensor.dims[0] = size;
  }
  slot.left = size;
  slot.status = Status();
}

/// Takes some samples of the earliest batch that has some left. False if there
/// are none, or no room for more batches.
bool ThreadedLoader::claim(Part &part) {
  if (!started || filling >= batches() || filling >= given + wanted.ahead)
    return false;
  if (filling == opened)
    open(opened++);
  Slot &slot = slotOf(filling);
  // So that each thread has several parts of a batch, yet seldom locks.
  int64_t share = wanted.batch / (2 * std::max(wanted.threads, 1)) + 1;
  part = {&slot, at, std::min(at + share, slot.batch.size())};
  at = part.end;
  if (at == slot.batch.size())
    ++filling, at = 0;
  return true;
}

/// Reads the samples of a part, without the lock.
void ThreadedLoader::fill(const Part &part,
                          std::unique_lock<std::mutex> &lock) {
  ++busy;
  Visit visit{wanted.seed, static_cast<uint32_t>(epoch), wanted.random};
  lock.unlock();
  const std::vector<weft_tensor> &tensors = part.slot->batch.tensors;
  std::vector<std::byte *> out(tensors.size());
  Status status;
  int64_t position = part.begin;
  for (; position < part.end; ++position) {
    for (size_t i = 0; i < out.size(); ++i)
      out[i] = static_cast<std::byte *>(tensors[i].data) +
               position * (tensors[i].bytes / tensors[i].dims[0]);
    int64_t index = part.slot->batch.samples[position];
    status = guard("sample", std::to_string(index),
                   [&] { return set.read(index, visit, out); });
    if (!status.ok())
      break;
  }
  lock.lock();
  --busy;
  Slot &slot = *part.slot;
  slot.left -= part.end - part.begin;
  if (!status.ok() && (slot.status.ok() || position < slot.badPosition)) {
    slot.status = std::move(status);
    slot.badPosition = position;
  }
  if (slot.left == 0 || busy == 0)
    caller.notify_all();
}

void ThreadedLoader::work() {
  std::unique_lock lock(mutex);
  while (!stopped) {
    Part part;
    if (claim(part))
      fill(part, lock);
    else
      workers.wait(lock);
  }
}

void ThreadedLoader::make(int64_t number, std::unique_lock<std::mutex> &lock) {
  if (threads.empty())
    for (Part part; !isReady(number);) {
      claim(part);
      fill(part, lock);
    }
}

const Batch *ThreadedLoader::peek() {
  std::unique_lock lock(mutex);
  assert(started && "an epoch must be started");
  if (given >= batches())
    return nullptr;
  make(given, lock);
  Slot &slot = slotOf(given);
  return isReady(given) && slot.status.ok() ? &slot.batch : nullptr;
}

Result<const Batch *> ThreadedLoader::next() {
  std::unique_lock lock(mutex);
  assert(started && "an epoch must be started");
  if (given >= batches())
    return static_cast<const Batch *>(nullptr);
  int64_t number = given++;
  // The batch that was given before has left its slot.
  workers.notify_all();
  make(number, lock);
  Slot &slot = slotOf(number);
  caller.wait(lock, [&] { return isReady(number); });
  if (!slot.status.ok())
    return slot.status;
  return &slot.batch;
}

Result<std::unique_ptr<Loader>> Loader::create(const DataSet &set,
                                               std::vector<int64_t> samples,
                                               const LoaderOptions &options) {
  auto refuse = [](const std::string &why) {
    return Status(Error::Option, why);
  };
  if (options.batch < 1)
    return refuse("a batch of " + std::to_string(options.batch) +
                  " samples, wanted at least 1");
  if (options.threads < 0 || options.threads > 1024)
    return refuse(std::to_string(options.threads) +
                  " threads that load data, wanted 0 to 1024");
  if (options.ahead < 1)
    return refuse(std::to_string(options.ahead) +
                  " batches ahead, wanted at least 1");
  if (samples.empty()) {
    samples.resize(set.size());
    std::iota(samples.begin(), samples.end(), 0);
  }
  auto count = static_cast<int64_t>(samples.size());
  if (count == 0 || (options.dropPartial && count < options.batch))
    return {Error::Empty, "the data set has " + std::to_string(count) +
                              " samples, less than one batch of " +
                              std::to_string(options.batch) +
                              "; take a smaller batch"};
  auto loader =
      std::make_unique<ThreadedLoader>(set, std::move(samples), options);
  if (Status status = loader->initialize(); !status.ok())
    return status;
  return std::unique_ptr<Loader>(std::move(loader));
}
