//===- Printf.cpp - What kernels say --------------------------------------===//

#include "Printf.h"

#include <cstdio>
#include <mutex>

using namespace weft::ptx;

namespace {

// Characters up to a zero.
std::string readText(Warp &warp, uint64_t address, unsigned lane) {
  std::string text;
  AccessInfo info;
  info.lane = lane;
  for (;; ++address) {
    char c = char(*accessMemory(warp, address, 1, info));
    if (!c)
      return text;
    text += c;
  }
}

template <class T>
T argument(Warp &warp, const ParamCopy &copy, unsigned lane) {
  T value;
  memcpy(&value, warp.local(lane) + copy.from, sizeof value);
  return value;
}

/// Reads the packed arguments one after the other.
class Arguments {
public:
  Arguments(Warp &warp, uint64_t address, unsigned lane)
      : warp(warp), address(address) {
    info.lane = lane;
  }

  template <class T> T next() {
    address = (address + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    T value;
    memcpy(&value, accessMemory(warp, address, sizeof(T), info), sizeof(T));
    address += sizeof(T);
    return value;
  }

private:
  Warp &warp;
  uint64_t address;
  AccessInfo info;
};

template <class... T>
std::string print(const std::string &format, T... values) {
  char text[512];
  snprintf(text, sizeof text, format.c_str(), values...);
  return text;
}

std::string formatOne(Warp &warp, Arguments &arguments, std::string spec,
                      unsigned lane) {
  // `*` takes an argument.
  for (size_t star; (star = spec.find('*')) != std::string::npos;)
    spec.replace(star, 1, std::to_string(arguments.next<int32_t>()));
  char kind = spec.back();
  bool wide = spec.find('l') != std::string::npos ||
              spec.find('z') != std::string::npos ||
              spec.find('j') != std::string::npos;
  switch (kind) {
  case 'd':
  case 'i':
  case 'u':
  case 'x':
  case 'X':
  case 'o':
    return wide ? print(spec, arguments.next<int64_t>())
                : print(spec, arguments.next<int32_t>());
  case 'c':
    return print(spec, arguments.next<int32_t>());
  case 'p':
    return print(spec, reinterpret_cast<void *>(arguments.next<uint64_t>()));
  case 's':
    return print(spec,
                 readText(warp, arguments.next<uint64_t>(), lane).c_str());
  default:
    return print(spec, arguments.next<double>());
  }
}

std::string formatAll(Warp &warp, const std::string &format, uint64_t address,
                      unsigned lane) {
  Arguments arguments(warp, address, lane);
  std::string text;
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      text += format[i];
      continue;
    }
    if (i + 1 < format.size() && format[i + 1] == '%') {
      text += '%';
      ++i;
      continue;
    }
    size_t end = format.find_first_of("diuxXocpsfFeEgGaA", i + 1);
    if (end == std::string::npos)
      return text + format.substr(i);
    text += formatOne(warp, arguments, format.substr(i, end - i + 1), lane);
    i = end;
  }
  return text;
}

} // namespace

void weft::ptx::printFormatted(Warp &warp, const Instr &instr, Mask lanes) {
  static std::mutex mutex;
  const auto &detail = *static_cast<const CallDetail *>(instr.detail);
  forLanes(lanes, [&](unsigned lane) {
    auto format = argument<uint64_t>(warp, detail.in[0], lane);
    auto values = argument<uint64_t>(warp, detail.in[1], lane);
    std::string text =
        formatAll(warp, readText(warp, format, lane), values, lane);
    {
      std::lock_guard lock(mutex);
      if (warp.launch->options->print)
        warp.launch->options->print(text);
      else
        fwrite(text.data(), 1, text.size(), stdout);
    }
    if (detail.out.empty())
      return;
    int32_t count = int32_t(text.size());
    memcpy(warp.local(lane) + detail.out[0].to, &count, sizeof count);
    memset(warp.localWritten(lane) + detail.out[0].to, 1, sizeof count);
  });
}

void weft::ptx::failAssertion(Warp &warp, const Instr &instr, Mask lanes) {
  const auto &detail = *static_cast<const CallDetail *>(instr.detail);
  unsigned lane = std::countr_zero(lanes);
  std::string condition =
      readText(warp, argument<uint64_t>(warp, detail.in[0], lane), lane);
  std::string file =
      readText(warp, argument<uint64_t>(warp, detail.in[1], lane), lane);
  auto line = argument<uint32_t>(warp, detail.in[2], lane);
  warp.fail(FaultKind::Trap,
            "assertion '" + condition + "' fails at " + file + ":" +
                std::to_string(line),
            int(lane));
}
