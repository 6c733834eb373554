// Finds elements that a step gives out and did not write: what lay in memory before would pass for a result.
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "support/result.h"

namespace edgec {

/// The bytes that a step is to write, as elements.
struct CheckedOutput {
  std::span<std::byte> bytes;
  std::size_t element_bytes = 1;
};

/// Fills bytes with a pattern that makes signalling NaNs of floats, which no arithmetic gives, for whoever reads them
/// nonetheless; under the address sanitizer that is an error until they are unpoisoned.
void poison(std::span<std::byte> bytes);
void unpoison(std::span<std::byte> bytes);

/// Runs `step` on poisoned outputs and scratch. Where an element still holds the pattern, which codes and integers may
/// do by right, the step runs once more on another one: an element that keeps both was not written. Error (internal):
/// the first one.
Status run_checked(std::span<const CheckedOutput> outputs, std::span<std::byte> scratch,
                   const std::function<void()> &step);

} // namespace edgec
