//===- Files.cpp - Memory, mapped files, and files that appear whole ------===//

#include "weft/Runtime/Data/Files.h"
#include "weft-rt/program.h"
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace weft::data;

void Buffer::Free::operator()(std::byte *pointer) const { free(pointer); }

Result<Buffer> Buffer::allocate(int64_t bytes, const std::string &what) {
  // Nothing has more; and rounding up can't overflow below it.
  constexpr int64_t most = int64_t(1) << 46;
  Buffer buffer;
  if (bytes >= 0 && bytes <= most) {
    size_t size = (bytes / WEFT_BUFFER_ALIGNMENT + 1) * WEFT_BUFFER_ALIGNMENT;
    buffer.memory.reset(
        static_cast<std::byte *>(aligned_alloc(WEFT_BUFFER_ALIGNMENT, size)));
    if (buffer.memory) {
      memset(buffer.memory.get(), 0, size);
      buffer.bytes = bytes;
      return buffer;
    }
  }
  return {Error::Memory, "there is no memory for the " + std::to_string(bytes) +
                             " bytes of " + what};
}

Result<MappedFile> MappedFile::open(const std::string &path) {
  auto refuse = [&](const std::string &why) {
    return Status(Error::Read, "'" + path + "' can't be read: " + why);
  };
  int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0)
    return refuse(strerror(errno));
  struct stat about = {};
  int error = fstat(descriptor, &about) ? errno : 0;
  MappedFile file;
  if (!error && S_ISREG(about.st_mode) && about.st_size > 0) {
    void *memory =
        mmap(nullptr, about.st_size, PROT_READ, MAP_PRIVATE, descriptor, 0);
    error = memory == MAP_FAILED ? errno : 0;
    if (!error) {
      file.begin = static_cast<const std::byte *>(memory);
      file.size = about.st_size;
    }
  }
  close(descriptor);
  if (error)
    return refuse(strerror(error));
  if (!S_ISREG(about.st_mode))
    return refuse("it is no regular file");
  return file;
}

MappedFile::MappedFile(MappedFile &&other) noexcept
    : begin(std::exchange(other.begin, nullptr)),
      size(std::exchange(other.size, 0)) {}

MappedFile &MappedFile::operator=(MappedFile &&other) noexcept {
  std::swap(begin, other.begin);
  std::swap(size, other.size);
  return *this;
}

MappedFile::~MappedFile() {
  if (begin)
    munmap(const_cast<std::byte *>(begin), size);
}

AtomicFile::AtomicFile(std::string path)
    : path(std::move(path)), temporary(this->path + ".tmp") {}

AtomicFile::~AtomicFile() {
  if (descriptor < 0)
    return;
  close(descriptor);
  unlink(temporary.c_str());
}

int AtomicFile::open() {
  descriptor =
      ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  return failure = descriptor < 0 ? errno : 0;
}

int AtomicFile::write(const void *data, size_t bytes) {
  auto *from = static_cast<const char *>(data);
  while (!failure && bytes) {
    ssize_t written = ::write(descriptor, from, bytes);
    if (written < 0 && errno == EINTR)
      continue;
    // A disk that takes nothing without saying why is full.
    if (written <= 0)
      failure = written < 0 ? errno : ENOSPC;
    else
      from += written, bytes -= written;
  }
  return failure;
}

/// The name is on the disk only when its folder is.
static int syncFolder(const std::string &path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  int descriptor = ::open(folder.empty() ? "." : folder.c_str(),
                          O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0)
    return errno;
  // Some file systems have no such thing for folders.
  int error = fsync(descriptor) && errno != EINVAL ? errno : 0;
  close(descriptor);
  return error;
}

int AtomicFile::commit() {
  if (!failure && fsync(descriptor))
    failure = errno;
  if (!failure && close(std::exchange(descriptor, -1)))
    failure = errno;
  if (!failure && rename(temporary.c_str(), path.c_str()))
    failure = errno;
  if (failure) {
    unlink(temporary.c_str());
    return failure;
  }
  return failure = syncFolder(path);
}
