//===- ConstantsObject.cpp - An object file that is nothing but data ------===//
//
// Large constants would cost LLVM several times their size, so that their
// object is written here, straight from the mapped files. For a shared library
// the object says only how much room they take, so that the linker does not
// copy them; embedConstants() adds the bytes.
//
//===----------------------------------------------------------------------===//

#include "weft/Support/DataStore.h"
#include "weft/Target/Target.h"
#include "llvm/BinaryFormat/ELF.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

using namespace weft;
using namespace llvm::ELF;

/// Where a constant starts (WEFT_BUFFER_ALIGNMENT).
static constexpr uint64_t alignment = WEFT_BUFFER_ALIGNMENT;

namespace {

/// The order of sections in the file.
enum Section : unsigned {
  NullSection,
  Data,
  Symbols,
  SymbolNames,
  SectionNames,
  StackNote,
  SpareNote, ///< in objects without bytes only
  NumSections
};

/// A note that says nothing. The linker makes a segment of it, which
/// embedConstants() takes for the constants.
struct Note {
  Elf64_Nhdr header = {sizeof("Weft"), 0, 0};
  char name[8] = "Weft";
};

/// The parts of the file that are not data.
struct Layout {
  bool hasBytes, isX86;
  uint64_t alignment;            ///< of the data as a whole
  std::vector<uint64_t> offsets; ///< of each constant in the data
  uint64_t dataSize = 0;
  std::string symbolNames = std::string(1, '\0');
  std::string sectionNames = std::string(1, '\0');
  std::vector<Elf64_Sym> symbols;
  Elf64_Shdr sections[NumSections] = {};
};

} // namespace

template <typename T>
static void writeRaw(llvm::raw_ostream &os, const T &value) {
  os.write(reinterpret_cast<const char *>(&value), sizeof(value));
}

static unsigned addName(std::string &table, llvm::StringRef name) {
  unsigned position = table.size();
  table += name;
  table += '\0';
  return position;
}

static void addSymbols(Layout &layout,
                       llvm::ArrayRef<ExternalConstant> constants) {
  layout.symbols.push_back({});
  for (const ExternalConstant &constant : constants) {
    layout.dataSize = llvm::alignTo(layout.dataSize, alignment);
    layout.offsets.push_back(layout.dataSize);
    Elf64_Sym symbol = {};
    symbol.st_name = addName(layout.symbolNames, constant.symbol);
    symbol.setBindingAndType(STB_GLOBAL, STT_OBJECT);
    symbol.st_other = STV_HIDDEN;
    symbol.st_shndx = Data;
    symbol.st_value = layout.dataSize;
    symbol.st_size = constant.size;
    layout.symbols.push_back(symbol);
    layout.dataSize += constant.size;
  }
}

static void addSections(Layout &layout) {
  uint64_t end = llvm::alignTo(sizeof(Elf64_Ehdr), layout.alignment);
  auto add = [&](Section section, llvm::StringRef name, unsigned type,
                 uint64_t size, uint64_t align) -> Elf64_Shdr & {
    Elf64_Shdr &header = layout.sections[section];
    header.sh_name = addName(layout.sectionNames, name);
    header.sh_type = type;
    header.sh_offset = llvm::alignTo(end, align);
    header.sh_size = size;
    header.sh_addralign = align;
    end = header.sh_offset + (type == SHT_NOBITS ? 0 : size);
    return header;
  };
  // Code that is far from large data still reaches all other sections. What has
  // no bytes is at the end of a program if it seems to be writable.
  Elf64_Shdr &data = add(Data,
                         layout.hasBytes ? layout.isX86 ? ".lrodata" : ".rodata"
                                         : kConstantsSection,
                         layout.hasBytes ? SHT_PROGBITS : SHT_NOBITS,
                         layout.dataSize, layout.alignment);
  data.sh_flags = SHF_ALLOC | (layout.hasBytes ? 0 : SHF_WRITE) |
                  (layout.isX86 ? SHF_X86_64_LARGE : 0);
  Elf64_Shdr &symbols = add(Symbols, ".symtab", SHT_SYMTAB,
                            layout.symbols.size() * sizeof(Elf64_Sym), 8);
  symbols.sh_link = SymbolNames;
  symbols.sh_info = 1;
  symbols.sh_entsize = sizeof(Elf64_Sym);
  add(SymbolNames, ".strtab", SHT_STRTAB, layout.symbolNames.size(), 1);
  add(StackNote, ".note.GNU-stack", SHT_PROGBITS, 0, 1);
  if (!layout.hasBytes)
    add(SpareNote, ".note.weft", SHT_NOTE, sizeof(Note), 4).sh_flags =
        SHF_ALLOC;
  Elf64_Shdr &names = add(SectionNames, ".shstrtab", SHT_STRTAB, 0, 1);
  names.sh_size = layout.sectionNames.size();
}

static Elf64_Ehdr makeHeader(const Layout &layout) {
  Elf64_Ehdr header = {};
  memcpy(header.e_ident, ElfMagic, 4);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_REL;
  header.e_machine = layout.isX86 ? EM_X86_64 : EM_AARCH64;
  header.e_version = EV_CURRENT;
  const Elf64_Shdr &names = layout.sections[SectionNames];
  header.e_shoff = llvm::alignTo(names.sh_offset + names.sh_size, 8);
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = layout.hasBytes ? SpareNote : NumSections;
  header.e_shstrndx = SectionNames;
  return header;
}

llvm::Error weft::writeConstants(llvm::ArrayRef<ExternalConstant> constants,
                                 llvm::raw_ostream &os) {
  uint64_t position = 0;
  for (const ExternalConstant &constant : constants) {
    uint64_t offset = llvm::alignTo(position, alignment);
    os.write_zeros(offset - position);
    auto bytes = DataStore::get(constant.file, constant.offset, constant.size);
    if (!bytes)
      return bytes.takeError();
    os.write(bytes->data(), bytes->size());
    position = offset + constant.size;
  }
  return llvm::Error::success();
}

llvm::Error
weft::writeConstantsObject(llvm::ArrayRef<ExternalConstant> constants,
                           const llvm::TargetMachine &machine, bool hasBytes,
                           llvm::raw_ostream &os) {
  const llvm::Triple &triple = machine.getTargetTriple();
  bool isX86 = triple.getArch() == llvm::Triple::x86_64;
  if (!triple.isOSBinFormatELF() || !(isX86 || triple.isAArch64(64)) ||
      !triple.isLittleEndian())
    return llvm::createStringError(
        std::errc::not_supported,
        "constants can't be embedded in objects of '%s'", triple.str().c_str());
  Layout layout;
  layout.hasBytes = hasBytes;
  layout.isX86 = isX86;
  layout.alignment = hasBytes ? alignment : kConstantsPage;
  addSymbols(layout, constants);
  addSections(layout);
  Elf64_Ehdr header = makeHeader(layout);

  uint64_t start = os.tell();
  auto goTo = [&](uint64_t offset) {
    os.write_zeros(start + offset - os.tell());
  };
  writeRaw(os, header);
  goTo(layout.sections[Data].sh_offset);
  if (hasBytes)
    if (llvm::Error error = writeConstants(constants, os))
      return error;
  goTo(layout.sections[Symbols].sh_offset);
  for (const Elf64_Sym &symbol : layout.symbols)
    writeRaw(os, symbol);
  os << layout.symbolNames;
  if (!hasBytes) {
    goTo(layout.sections[SpareNote].sh_offset);
    writeRaw(os, Note());
  }
  goTo(layout.sections[SectionNames].sh_offset);
  os << layout.sectionNames;
  goTo(header.e_shoff);
  for (unsigned i = 0; i < header.e_shnum; ++i)
    writeRaw(os, layout.sections[i]);
  return llvm::Error::success();
}
