//===- ConstantsSegment.cpp - Constants at the end of a shared library ----===//
//
// A linker would copy constants twice and map both copies. It links a library
// that has only room for them instead, at the end of its memory; here they are
// appended to the file, and a segment maps them to that room.
//
//===----------------------------------------------------------------------===//

#include "weft/Target/Target.h"
#include "llvm/Object/ELF.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace weft;
using namespace llvm::ELF;
using llvm::object::ELF64LE;

static llvm::Error unexpected(llvm::StringRef path, const char *what) {
  return llvm::createStringError(
      std::errc::invalid_argument,
      "the linker made '%s' in a way that leaves no place for constants: %s",
      path.str().c_str(), what);
}

namespace {

/// The headers of a shared library that is held in memory, to be changed.
struct Library {
  llvm::MutableArrayRef<ELF64LE::Phdr> segments;
  ELF64LE::Shdr *section = nullptr; ///< kConstantsSection
};

} // namespace

template <typename T>
static llvm::MutableArrayRef<T> mutate(const T *begin, size_t size) {
  return {const_cast<T *>(begin), size};
}

/// Finds the headers in `bytes`.
static llvm::Expected<Library> readLibrary(llvm::MutableArrayRef<char> bytes) {
  auto file = llvm::object::ELFFile<ELF64LE>::create(
      llvm::StringRef(bytes.data(), bytes.size()));
  if (!file)
    return file.takeError();
  auto segments = file->program_headers();
  if (!segments)
    return segments.takeError();
  auto sections = file->sections();
  if (!sections)
    return sections.takeError();
  Library library;
  library.segments = mutate(segments->begin(), segments->size());
  for (const ELF64LE::Shdr &section : *sections) {
    auto name = file->getSectionName(section);
    if (!name)
      return name.takeError();
    if (*name == kConstantsSection)
      library.section = const_cast<ELF64LE::Shdr *>(&section);
  }
  return library;
}

/// The segment that is to hold the constants, cut off from that which has room
/// for them; null, and why in `problem`, if there is none.
static ELF64LE::Phdr *takeSegment(Library &library, const char *&problem) {
  uint64_t begin = library.section->sh_addr;
  uint64_t end = begin + library.section->sh_size;
  ELF64LE::Phdr *last = nullptr, *spare = nullptr;
  for (ELF64LE::Phdr &segment : library.segments) {
    if (segment.p_type == PT_LOAD)
      last = &segment;
    if (segment.p_type == PT_NOTE)
      spare = &segment;
  }
  problem = "they are not at the end of its memory";
  if (!last || last->p_vaddr > begin || last->p_vaddr + last->p_memsz != end ||
      last->p_vaddr + last->p_filesz > begin)
    return nullptr;
  if (last->p_vaddr == begin)
    return last;
  // Segments that are loaded must be in the order of their addresses.
  problem = "there is no segment to spare";
  if (!spare || spare < last)
    return nullptr;
  last->p_memsz = begin - last->p_vaddr;
  return spare;
}

llvm::Error weft::embedConstants(llvm::ArrayRef<ExternalConstant> constants,
                                 llvm::StringRef path) {
  auto linked = llvm::MemoryBuffer::getFile(path, /*IsText=*/false,
                                            /*RequiresNullTerminator=*/false);
  if (!linked)
    return llvm::createStringError(linked.getError(), "can't read '%s': %s",
                                   path.str().c_str(),
                                   linked.getError().message().c_str());
  // A copy, for the file is written anew.
  llvm::StringRef text = (*linked)->getBuffer();
  llvm::SmallVector<char, 0> bytes(text.begin(), text.end());
  linked->reset();
  auto library = readLibrary(bytes);
  if (!library)
    return library.takeError();
  if (!library->section || library->section->sh_type != SHT_NOBITS)
    return unexpected(path, "there is no section that has room for them");
  const char *problem = nullptr;
  ELF64LE::Phdr *segment = takeSegment(*library, problem);
  if (!segment)
    return unexpected(path, problem);

  uint64_t offset = llvm::alignTo(bytes.size(), kConstantsPage);
  ELF64LE::Shdr &section = *library->section;
  segment->p_type = PT_LOAD;
  segment->p_flags = PF_R;
  segment->p_offset = offset;
  segment->p_vaddr = segment->p_paddr = section.sh_addr;
  segment->p_filesz = segment->p_memsz = section.sh_size;
  segment->p_align = kConstantsPage;
  section.sh_type = SHT_PROGBITS;
  section.sh_offset = offset;
  section.sh_flags = section.sh_flags & ~uint64_t(SHF_WRITE);

  std::error_code error;
  llvm::raw_fd_ostream os(path, error, llvm::sys::fs::CD_CreateAlways);
  if (!error) {
    os.write(bytes.data(), bytes.size());
    os.write_zeros(offset - bytes.size());
    if (llvm::Error failed = writeConstants(constants, os)) {
      os.clear_error();
      return failed;
    }
    os.close();
    error = os.error();
    os.clear_error();
  }
  if (error)
    return llvm::createStringError(error, "can't write '%s': %s",
                                   path.str().c_str(), error.message().c_str());
  return llvm::Error::success();
}
