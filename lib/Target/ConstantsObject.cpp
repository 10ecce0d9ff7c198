//===- ConstantsObject.cpp - An object file that is nothing but data ------===//
//
// Large constants would cost LLVM several times their size, so that their
// object is written here, straight from the mapped files.
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
  NumSections
};

/// The parts of the file that are not data.
struct Layout {
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

static void addSections(Layout &layout, bool isX86) {
  uint64_t end = llvm::alignTo(sizeof(Elf64_Ehdr), alignment);
  auto add = [&](Section section, llvm::StringRef name, unsigned type,
                 uint64_t size, uint64_t align) -> Elf64_Shdr & {
    Elf64_Shdr &header = layout.sections[section];
    header.sh_name = addName(layout.sectionNames, name);
    header.sh_type = type;
    header.sh_offset = llvm::alignTo(end, align);
    header.sh_size = size;
    header.sh_addralign = align;
    end = header.sh_offset + size;
    return header;
  };
  // Code that is far from large data still reaches all other sections.
  Elf64_Shdr &data = add(Data, isX86 ? ".lrodata" : ".rodata", SHT_PROGBITS,
                         layout.dataSize, alignment);
  data.sh_flags = SHF_ALLOC | (isX86 ? SHF_X86_64_LARGE : 0);
  Elf64_Shdr &symbols = add(Symbols, ".symtab", SHT_SYMTAB,
                            layout.symbols.size() * sizeof(Elf64_Sym), 8);
  symbols.sh_link = SymbolNames;
  symbols.sh_info = 1;
  symbols.sh_entsize = sizeof(Elf64_Sym);
  add(SymbolNames, ".strtab", SHT_STRTAB, layout.symbolNames.size(), 1);
  add(StackNote, ".note.GNU-stack", SHT_PROGBITS, 0, 1);
  Elf64_Shdr &names = add(SectionNames, ".shstrtab", SHT_STRTAB, 0, 1);
  names.sh_size = layout.sectionNames.size();
}

static Elf64_Ehdr makeHeader(const Layout &layout, bool isX86) {
  Elf64_Ehdr header = {};
  memcpy(header.e_ident, ElfMagic, 4);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_VERSION] = EV_CURRENT;
  header.e_type = ET_REL;
  header.e_machine = isX86 ? EM_X86_64 : EM_AARCH64;
  header.e_version = EV_CURRENT;
  const Elf64_Shdr &names = layout.sections[SectionNames];
  header.e_shoff = llvm::alignTo(names.sh_offset + names.sh_size, 8);
  header.e_ehsize = sizeof(Elf64_Ehdr);
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = NumSections;
  header.e_shstrndx = SectionNames;
  return header;
}

/// Writes the bytes of all constants behind `start`, with the gaps between.
static llvm::Error writeData(const Layout &layout,
                             llvm::ArrayRef<ExternalConstant> constants,
                             llvm::raw_ostream &os, uint64_t start) {
  for (auto [offset, constant] : llvm::zip_equal(layout.offsets, constants)) {
    os.write_zeros(start + offset - os.tell());
    auto bytes = DataStore::get(constant.file, constant.offset, constant.size);
    if (!bytes)
      return bytes.takeError();
    os.write(bytes->data(), bytes->size());
  }
  return llvm::Error::success();
}

llvm::Error
weft::writeConstantsObject(llvm::ArrayRef<ExternalConstant> constants,
                           const llvm::TargetMachine &machine,
                           llvm::raw_ostream &os) {
  const llvm::Triple &triple = machine.getTargetTriple();
  bool isX86 = triple.getArch() == llvm::Triple::x86_64;
  if (!triple.isOSBinFormatELF() || !(isX86 || triple.isAArch64(64)) ||
      !triple.isLittleEndian())
    return llvm::createStringError(
        std::errc::not_supported,
        "constants can't be embedded in objects of '%s'", triple.str().c_str());
  Layout layout;
  addSymbols(layout, constants);
  addSections(layout, isX86);
  Elf64_Ehdr header = makeHeader(layout, isX86);

  writeRaw(os, header);
  uint64_t start = layout.sections[Data].sh_offset;
  if (llvm::Error error = writeData(layout, constants, os, start))
    return error;
  os.write_zeros(layout.sections[Symbols].sh_offset - os.tell());
  for (const Elf64_Sym &symbol : layout.symbols)
    writeRaw(os, symbol);
  os << layout.symbolNames << layout.sectionNames;
  os.write_zeros(header.e_shoff - os.tell());
  for (const Elf64_Shdr &section : layout.sections)
    writeRaw(os, section);
  return llvm::Error::success();
}
