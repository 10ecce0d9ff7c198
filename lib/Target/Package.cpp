//===- Package.cpp - Programs as files ------------------------------------===//

#include "weft/Target/Target.h"
#include "llvm/Object/ArchiveWriter.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FileUtilities.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Program.h"
#include "llvm/Support/raw_ostream.h"
#include "llvm/Target/TargetMachine.h"

using namespace weft;

namespace {

/// The files that are linked, and removed in the end.
struct Parts {
  llvm::SmallString<128> object, constants;
  std::vector<std::unique_ptr<llvm::FileRemover>> removers;
};

} // namespace

static llvm::Error fileError(llvm::StringRef path, std::error_code error) {
  return llvm::createStringError(error, "can't write '%s': %s",
                                 path.str().c_str(), error.message().c_str());
}

/// A new file beside `path`, where there is room for the result as well.
static llvm::Error
writeBeside(llvm::StringRef path, llvm::SmallVectorImpl<char> &name,
            Parts &parts,
            llvm::function_ref<llvm::Error(llvm::raw_fd_ostream &)> write) {
  int descriptor;
  if (std::error_code error =
          llvm::sys::fs::createUniqueFile(path + ".%%%%%%.o", descriptor, name))
    return fileError(path, error);
  parts.removers.push_back(std::make_unique<llvm::FileRemover>(
      llvm::StringRef(name.data(), name.size())));
  llvm::raw_fd_ostream os(descriptor, /*shouldClose=*/true);
  llvm::Error failed = write(os);
  os.close();
  if (os.has_error()) {
    std::error_code error = os.error();
    os.clear_error();
    return llvm::joinErrors(std::move(failed), fileError(path, error));
  }
  return failed;
}

static llvm::Error writeParts(const llvm::MemoryBuffer &object,
                              llvm::ArrayRef<ExternalConstant> constants,
                              const llvm::TargetMachine &machine, bool hasBytes,
                              llvm::StringRef path, Parts &parts) {
  if (llvm::Error error =
          writeBeside(path, parts.object, parts, [&](llvm::raw_fd_ostream &os) {
            os << object.getBuffer();
            return llvm::Error::success();
          }))
    return error;
  if (constants.empty())
    return llvm::Error::success();
  return writeBeside(
      path, parts.constants, parts, [&](llvm::raw_fd_ostream &os) {
        return writeConstantsObject(constants, machine, hasBytes, os);
      });
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
  std::vector<std::string> args{"-o", path.str(), parts.object.str().str()};
  if (!parts.constants.empty())
    args.push_back(parts.constants.str().str());
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

static llvm::Error writeHeader(llvm::StringRef path) {
  std::error_code error;
  llvm::raw_fd_ostream os(path, error);
  if (error)
    return fileError(path, error);
  os << "/* A program compiled by Weft. Run it with weft_model_wrap() of\n"
        "   weft-rt/weft.h. */\n"
        "#pragma once\n"
        "#include \"weft-rt/program.h\"\n";
  return llvm::Error::success();
}

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
  if (llvm::Error error = add(parts.object, "program.o"))
    return error;
  if (!parts.constants.empty())
    if (llvm::Error error = add(parts.constants, "constants.o"))
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
  Parts parts;
  bool isShared = packaging == Packaging::SharedLibrary;
  if (llvm::Error error = writeParts(object, constants, machine,
                                     /*hasBytes=*/!isShared, path, parts))
    return error;
  std::string unfinished = (path + ".unfinished").str();
  llvm::FileRemover remover(unfinished);
  if (packaging == Packaging::Archive) {
    if (llvm::Error error = archive(parts, unfinished))
      return error;
    llvm::SmallString<128> header(path);
    llvm::sys::path::replace_extension(header, "h");
    if (llvm::Error error = writeHeader(header))
      return error;
  } else if (llvm::Error error = link(parts, machine, packaging, unfinished)) {
    return error;
  }
  if (isShared && !constants.empty())
    if (llvm::Error error = embedConstants(constants, unfinished))
      return error;
  if (std::error_code error = llvm::sys::fs::rename(unfinished, path))
    return fileError(path, error);
  remover.releaseFile();
  return llvm::Error::success();
}
