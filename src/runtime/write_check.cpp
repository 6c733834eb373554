#include "runtime/write_check.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include <fmt/format.h>
#include <sanitizer/asan_interface.h>

namespace edgec {
namespace {

/// As 32-bit floats 0x7fa5a5a5 and 0xff9a5a5a, signalling NaNs; they have no byte in common.
using Pattern = std::array<unsigned char, 4>;
constexpr Pattern first_pattern = {0xa5, 0xa5, 0xa5, 0x7f}, second_pattern = {0x5a, 0x5a, 0x9a, 0xff};

void fill(std::span<std::byte> bytes, const Pattern &pattern) {
  for (std::size_t i = 0; i < bytes.size(); i += pattern.size())
    std::memcpy(bytes.data() + i, pattern.data(), std::min(pattern.size(), bytes.size() - i));
}

bool holds(const CheckedOutput &output, std::size_t element, const Pattern &pattern) {
  for (std::size_t i = element * output.element_bytes; i < (element + 1) * output.element_bytes; ++i)
    if (output.bytes[i] != static_cast<std::byte>(pattern[i % pattern.size()])) return false;
  return true;
}

struct Suspect {
  std::size_t output, element;
};

std::vector<Suspect> run_on(const Pattern &pattern, std::span<const CheckedOutput> outputs,
                            std::span<std::byte> scratch, const std::function<void()> &step) {
  fill(scratch, pattern);
  for (const CheckedOutput &output : outputs) fill(output.bytes, pattern);
  step();
  std::vector<Suspect> found;
  for (std::size_t k = 0; k < outputs.size(); ++k)
    for (std::size_t i = 0; i < outputs[k].bytes.size() / outputs[k].element_bytes; ++i)
      if (holds(outputs[k], i, pattern)) found.push_back({k, i});
  return found;
}

} // namespace

void poison(std::span<std::byte> bytes) {
  unpoison(bytes);
  fill(bytes, first_pattern);
  ASAN_POISON_MEMORY_REGION(bytes.data(), bytes.size());
}

void unpoison(std::span<std::byte> bytes) { ASAN_UNPOISON_MEMORY_REGION(bytes.data(), bytes.size()); }

Status run_checked(std::span<const CheckedOutput> outputs, std::span<std::byte> scratch,
                   const std::function<void()> &step) {
  const std::vector<Suspect> suspects = run_on(first_pattern, outputs, scratch, step);
  if (suspects.empty()) return {};
  run_on(second_pattern, outputs, scratch, step);
  for (const Suspect &suspect : suspects)
    if (holds(outputs[suspect.output], suspect.element, second_pattern))
      return internal_error(fmt::format("element {} of output {} was not written", suspect.element, suspect.output));
  return {};
}

} // namespace edgec
