//===- Package.cpp - Programs as files ------------------------------------===//

#include "weft/Support/OutputFile.h"
#include "weft/Target/Target.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

using namespace weft;

namespace {

/// The files that are linked. They lie beside the result, where there is room
/// for it as well.
struct Parts {
  UnfinishedFile object;
  std::optional<UnfinishedFile> constants;
};

} // namespace

static llvm::Expected<Parts>
writeParts(const llvm::MemoryBuffer &object,
           llvm::ArrayRef<ExternalConstant> constants,
           const llvm::TargetMachine &machine, bool hasBytes,
           llvm::StringRef path) {
  auto file = UnfinishedFile::create(path);
  if (!file)
    return file.takeError();
  if (llvm::Error error = file->fill([&](llvm::raw_ostream &os) {
        os << object.getBuffer();
        return llvm::Error::success();
      }))
    return error;
  Parts parts{std::move(*file), std::nullopt};
  if (constants.empty())
    return parts;
  auto data = UnfinishedFile::create(path);
  if (!data)
    return data.takeError();
  if (llvm::Error error = data->fill([&](llvm::raw_ostream &os) {
        return writeConstantsObject(constants, machine, hasBytes, os);
      }))
    return error;
  parts.constants.emplace(std::move(*data));
  return parts;
}

//===----------------------------------------------------------------------===//
// Linking
//===----------------------------------------------------------------------===//

/// The linker, or a compiler that calls one.
static llvm::Expected<std::string> findLinker() {
  for (const char *name : {"ld.lld-22", "ld.lld", "ld", "cc"})
    if (auto path = llvm::sys::findProgramByName(name))
      return *path;
  return llvm::createStringError(
      std::errc::no_such_file_or_directory,
      "no linker found: install one of 'ld.lld', 'ld' and 'cc'");
}

/// The shared library of libm or libc for `machine`; empty if it is not where
/// it usually is.
static std::string findSystemLibrary(const llvm::TargetMachine &machine,
                                     llvm::StringRef name) {
  const llvm::Triple &triple = machine.getTargetTriple();
  std::string arch = triple.getArchName().str() + "-linux-gnu";
  for (std::string folder :
       {"/lib/" + arch, "/usr/lib/" + arch, "/usr/" + arch + "/lib",
        std::string("/lib64"), std::string("/usr/lib64")}) {
    std::string path = folder + "/" + name.str();
    if (llvm::sys::fs::exists(path))
      return path;
  }
  return {};
}

static llvm::Error runLinker(llvm::ArrayRef<std::string> args) {
  auto linker = findLinker();
  if (!linker)
    return linker.takeError();
  std::vector<llvm::StringRef> command{*linker};
  command.insert(command.end(), args.begin(), args.end());
  std::string problem;
  int status = llvm::sys::ExecuteAndWait(*linker, command, std::nullopt, {}, 0,
                                         0, &problem);
  if (status == 0)
    return llvm::Error::success();
  return llvm::createStringError(
      std::errc::invalid_argument, "'%s' failed with status %d%s%s",
      linker->c_str(), status, problem.empty() ? "" : ": ", problem.c_str());
}

static llvm::Error link(const Parts &parts, const llvm::TargetMachine &machine,
                        Packaging packaging, llvm::StringRef path) {
  std::vector<std::string> args{"-o", path.str(), parts.object.getName().str()};
  if (parts.constants)
    args.push_back(parts.constants->getName().str());
  if (packaging == Packaging::Object) {
    args.push_back("-r");
    return runLinker(args);
  }
  args.push_back("-shared");
  if (llvm::StringRef(*findLinker()).ends_with("cc")) {
    args.insert(args.end(), {"-nostartfiles", "-Wl,--as-needed", "-lm"});
    return runLinker(args);
  }
  args.insert(args.end(), {"--as-needed", "--gc-sections", "--build-id=none"});
  for (const char *name : {"libm.so.6", "libc.so.6"})
    if (std::string library = findSystemLibrary(machine, name);
        !library.empty())
      args.push_back(library);
  return runLinker(args);
}

//===----------------------------------------------------------------------===//
// Archives
//===----------------------------------------------------------------------===//

static llvm::Error archive(const Parts &parts, llvm::StringRef path) {
  std::vector<llvm::NewArchiveMember> members;
  auto add = [&](llvm::StringRef file, llvm::StringRef name) -> llvm::Error {
    auto member = llvm::NewArchiveMember::getFile(file, /*Deterministic=*/true);
    if (!member)
      return member.takeError();
    members.push_back(std::move(*member));
    members.back().MemberName = name;
    return llvm::Error::success();
  };
  if (llvm::Error error = add(parts.object.getName(), "program.o"))
    return error;
  if (parts.constants)
    if (llvm::Error error = add(parts.constants->getName(), "constants.o"))
      return error;
  return llvm::writeArchive(path, members,
                            llvm::SymtabWritingMode::NormalSymtab,
                            llvm::object::Archive::K_GNU,
                            /*Deterministic=*/true, /*Thin=*/false);
}

llvm::Error weft::packageProgram(const llvm::MemoryBuffer &object,
                                 llvm::ArrayRef<ExternalConstant> constants,
                                 const llvm::TargetMachine &machine,
                                 Packaging packaging, llvm::StringRef path) {
  bool isShared = packaging == Packaging::SharedLibrary;
  auto parts =
      writeParts(object, constants, machine, /*hasBytes=*/!isShared, path);
  if (!parts)
    return parts.takeError();
  auto result = UnfinishedFile::create(path);
  if (!result)
    return result.takeError();
  if (llvm::Error error =
          packaging == Packaging::Archive
              ? archive(*parts, result->getName())
              : link(*parts, machine, packaging, result->getName()))
    return error;
  if (isShared && !constants.empty())
    if (llvm::Error error = embedConstants(constants, result->getName()))
      return error;
  return result->keep();
}
