//===- OutputFile.cpp - Files that appear whole or not at all -------------===//

#include "weft/Support/OutputFile.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"
#include <csignal>

using namespace weft;

llvm::Error weft::makeWriteError(llvm::StringRef path, std::error_code reason) {
  return llvm::createStringError(reason, "can't write '%s': %s",
                                 path.str().c_str(), reason.message().c_str());
}

llvm::Expected<UnfinishedFile> UnfinishedFile::create(llvm::StringRef path) {
  UnfinishedFile file(path);
  if (llvm::sys::fs::is_directory(path))
    return makeWriteError(path,
                          std::make_error_code(std::errc::is_a_directory));
  llvm::sys::fs::file_status status;
  if (!llvm::sys::fs::status(path, status) &&
      status.type() != llvm::sys::fs::file_type::regular_file)
    return llvm::createStringError("can't write '" + path +
                                   "': it is no regular file");
  // A signal between the two steps would leave the file behind.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  std::error_code error =
      llvm::sys::fs::createUniqueFile(path + ".%%%%%%.unfinished", file.name);
  if (error)
    file.name.clear();
  else
    llvm::sys::RemoveFileOnSignal(file.name);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (error)
    return makeWriteError(path, error);
  return file;
}

UnfinishedFile::UnfinishedFile(UnfinishedFile &&other)
    : path(std::move(other.path)), name(other.name) {
  other.name.clear();
}

UnfinishedFile::~UnfinishedFile() {
  if (name.empty())
    return;
  llvm::sys::fs::remove(name);
  llvm::sys::DontRemoveFileOnSignal(name);
}

/// Flushes `os` and tells what went wrong with the file at `path`.
static llvm::Error finish(llvm::raw_fd_ostream &os, llvm::StringRef path) {
  os.close();
  if (!os.has_error())
    return llvm::Error::success();
  std::error_code error = os.error();
  os.clear_error();
  return makeWriteError(path, error);
}

llvm::Error UnfinishedFile::fill(
    llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> write) {
  std::error_code error;
  llvm::raw_fd_ostream os(name, error);
  if (error)
    return makeWriteError(path, error);
  llvm::Error failed = write(os);
  return llvm::joinErrors(std::move(failed), finish(os, path));
}

llvm::Error UnfinishedFile::keep() {
  if (std::error_code error = llvm::sys::fs::rename(name, path))
    return makeWriteError(path, error);
  llvm::sys::DontRemoveFileOnSignal(name);
  name.clear();
  return llvm::Error::success();
}

llvm::Error weft::writeWholeFile(
    llvm::StringRef path,
    llvm::function_ref<llvm::Error(llvm::raw_pwrite_stream &)> write) {
  llvm::sys::fs::file_status status;
  bool isSpecial =
      path == "-" || (!llvm::sys::fs::status(path, status) &&
                      status.type() != llvm::sys::fs::file_type::regular_file);
  if (!isSpecial || llvm::sys::fs::is_directory(path)) {
    auto file = UnfinishedFile::create(path);
    if (!file)
      return file.takeError();
    if (llvm::Error error = file->fill(write))
      return error;
    return file->keep();
  }
  // What can be reopened or sought in no file is collected first.
  llvm::SmallString<0> text;
  llvm::raw_svector_ostream collected(text);
  if (llvm::Error error = write(collected))
    return error;
  std::error_code error;
  llvm::raw_fd_ostream os(path, error);
  if (error)
    return makeWriteError(path, error);
  os << text;
  return finish(os, path);
}
