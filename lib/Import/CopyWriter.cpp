//===- CopyWriter.cpp - The files of a model's copy -----------------------===//

#include "CopyWriter.h"
#include "Model.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"

using namespace llvm;
using namespace weft;
using namespace weft::importer;

/// Checks that no tensor that is replaced shares its bytes with another one.
static Error checkRanges(DataFile &file) {
  llvm::stable_sort(file.ranges, [](const DataRange &a, const DataRange &b) {
    return a.offset < b.offset;
  });
  const DataRange *last = nullptr;
  for (const DataRange &range : file.ranges) {
    if (range.size == 0)
      continue;
    if (last && range.offset < last->offset + last->size &&
        (range.bytes || last->bytes))
      return createStringError("tensors '" + last->tensor + "' and '" +
                               range.tensor +
                               "' share external data, so that one can't be "
                               "replaced alone");
    if (!last || last->offset + last->size < range.offset + range.size)
      last = &range;
  }
  return Error::success();
}

/// Writes `source` to `os` with the ranges that have new data.
static Error patchFile(ArrayRef<char> source, const DataFile &file,
                       raw_ostream &os) {
  uint64_t position = 0;
  auto copyUpTo = [&](uint64_t end) {
    os.write(source.data() + position, end - position);
  };
  for (const DataRange &range : file.ranges) {
    if (!range.bytes || range.size == 0)
      continue;
    if (range.offset > source.size() ||
        range.size > source.size() - range.offset)
      return createStringError("the external data of tensor '" + range.tensor +
                               "' lies outside its file");
    copyUpTo(range.offset);
    os.write(range.bytes->data(), range.bytes->size());
    position = range.offset + range.size;
  }
  copyUpTo(source.size());
  return Error::success();
}

static StringRef getFolder(StringRef path) {
  StringRef folder = sys::path::parent_path(path);
  return folder.empty() ? "." : folder;
}

/// Copies a file of external data beside the output, under another name if it
/// lies there itself, unless it stays as it is.
Error CopyWriter::addData(StringRef location, DataFile &file) {
  if (Error error = checkRanges(file))
    return error;
  Expected<std::string> source = findExternalFile(getFolder(path), location);
  if (!source)
    return source.takeError();
  bool changes = llvm::any_of(file.ranges, [](const DataRange &range) {
    return range.bytes.has_value();
  });
  SmallString<128> target(getFolder(output));
  sys::path::append(target, location);
  if (sys::fs::equivalent(*source, target)) {
    if (!changes)
      return Error::success();
    if (sys::fs::equivalent(path, output))
      return createStringError("it would replace its own external data; write "
                               "the copy to another file");
    SmallString<128> name(sys::path::parent_path(location));
    sys::path::append(name, sys::path::filename(output) + "." +
                                sys::path::filename(location));
    file.newLocation = name.str().str();
    target = getFolder(output);
    sys::path::append(target, name);
  }
  if (std::error_code error =
          sys::fs::create_directories(sys::path::parent_path(target)))
    return makeWriteError(target, error);
  auto buffer = MemoryBuffer::getFile(*source, /*IsText=*/false,
                                      /*RequiresNullTerminator=*/false);
  if (!buffer)
    return createStringError("can't read '" + *source +
                             "': " + buffer.getError().message());
  auto unfinished = UnfinishedFile::create(target);
  if (!unfinished)
    return unfinished.takeError();
  StringRef bytes = (*buffer)->getBuffer();
  if (Error error = unfinished->fill([&](raw_pwrite_stream &os) {
        return patchFile(ArrayRef(bytes.data(), bytes.size()), file, os);
      }))
    return error;
  files.push_back(std::move(*unfinished));
  return Error::success();
}

Error CopyWriter::finish(const Rope &model) {
  auto unfinished = UnfinishedFile::create(output);
  if (!unfinished)
    return unfinished.takeError();
  if (Error error = unfinished->fill([&](raw_pwrite_stream &os) {
        for (ArrayRef<char> piece : model.pieces)
          os.write(piece.data(), piece.size());
        return Error::success();
      }))
    return error;
  for (UnfinishedFile &file : files)
    if (Error error = file.keep())
      return error;
  return unfinished->keep();
}
