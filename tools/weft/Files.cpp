//===- Files.cpp - Files that appear whole or not at all ------------------===//

#include "Commands.h"
#include <atomic>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft::tool;

//===----------------------------------------------------------------------===//
// Signals
//===----------------------------------------------------------------------===//

/// Names of unfinished files, for the signal handler, which can read nothing
/// that is not settled in one step.
static std::atomic<char *> unfinished[256];

static void removeUnfinished(int signal) {
  for (std::atomic<char *> &slot : unfinished)
    if (const char *name = slot.exchange(nullptr))
      unlink(name);
  std::signal(signal, SIG_DFL);
  raise(signal);
}

static void remember(const std::string &name) {
  static bool isHandled = [] {
    for (int signal : {SIGINT, SIGTERM, SIGHUP})
      if (std::signal(signal, removeUnfinished) == SIG_IGN)
        std::signal(signal, SIG_IGN);
    return true;
  }();
  (void)isHandled;
  char *copy = strdup(name.c_str());
  for (std::atomic<char *> &slot : unfinished) {
    char *empty = nullptr;
    if (slot.compare_exchange_strong(empty, copy))
      return;
  }
  free(copy);
}

static void forget(const std::string &name) {
  for (std::atomic<char *> &slot : unfinished) {
    char *known = slot.load();
    if (known && name == known && slot.compare_exchange_strong(known, nullptr))
      free(known);
  }
}

//===----------------------------------------------------------------------===//
// Files
//===----------------------------------------------------------------------===//

static Exit failToWrite(const std::string &path, int reason) {
  return Exit{1, "error: WFT6005: can't write '" + path +
                     "': " + strerror(reason)};
}

/// Writes all of `bytes`; returns 0 or why that failed.
static int writeAll(int descriptor, const std::string &bytes) {
  for (size_t done = 0; done < bytes.size();) {
    ssize_t count = write(descriptor, &bytes[done], bytes.size() - done);
    if (count < 0 && errno != EINTR)
      return errno;
    done += std::max<ssize_t>(count, 0);
  }
  return 0;
}

void OutputFiles::add(const std::string &path, const std::string &bytes) {
  std::string name = path + ".XXXXXX";
  // A signal between the two steps would leave the file behind.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int descriptor = mkostemp(name.data(), O_CLOEXEC);
  int failure = errno;
  if (descriptor >= 0)
    remember(name);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (descriptor < 0)
    throw failToWrite(path, failure);
  files.push_back({path, name});
  // As if the file had been created without a temporary name.
  mode_t mask = umask(0);
  umask(mask);
  fchmod(descriptor, 0666 & ~mask);
  int problem = writeAll(descriptor, bytes);
  if (close(descriptor) != 0 && !problem)
    problem = errno;
  if (problem)
    throw failToWrite(path, problem);
}

void OutputFiles::keep() {
  for (; !files.empty(); files.pop_back()) {
    const File &file = files.back();
    if (rename(file.temporary.c_str(), file.path.c_str()) != 0)
      throw failToWrite(file.path, errno);
    forget(file.temporary);
  }
}

OutputFiles::~OutputFiles() {
  for (const File &file : files) {
    unlink(file.temporary.c_str());
    forget(file.temporary);
  }
}

void weft::tool::checkOutput(const std::string &path, uint64_t bytes) {
  std::error_code error;
  auto status = std::filesystem::status(path, error);
  if (std::filesystem::is_directory(status))
    throw failToWrite(path, EISDIR);
  if (std::filesystem::exists(status) &&
      !std::filesystem::is_regular_file(status))
    throw Exit{1, "error: WFT6005: can't write '" + path +
                      "': it is no regular file"};
  OutputFiles probe;
  probe.add(path, "");
  auto folder = std::filesystem::absolute(path, error).parent_path();
  auto space = std::filesystem::space(folder, error);
  if (!error && space.available < bytes)
    throw Exit{1, "error: WFT6005: can't write '" + path + "': it will have " +
                      std::to_string(bytes) + " bytes, but the disk has " +
                      std::to_string(space.available) +
                      " left; make room, or choose another folder"};
}

void weft::tool::createFolder(const std::string &path) {
  if (mkdir(path.c_str(), 0777) == 0)
    return;
  int problem = errno;
  struct stat status;
  if (stat(path.c_str(), &status) == 0)
    problem = S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
  if (problem)
    throw Exit{1, "error: WFT6005: can't create the folder '" + path +
                      "': " + strerror(problem)};
}
