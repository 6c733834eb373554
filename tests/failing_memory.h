// Allocations of a test program, one of which fails when asked to. Included by one of its files: it defines operator
// new.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace edgec::test {

inline std::atomic<std::int64_t> allocations = 0; ///< since without_allocation()
inline std::atomic<std::int64_t> failing = -1;    ///< the number of the one that fails

/// Runs f() while allocation number `place` fails, of libraries too; whether f() ended all the same. It may end by
/// std::bad_alloc.
template <class F>
bool without_allocation(std::int64_t place, F &&f) {
  allocations = 0;
  failing = place;
  try {
    f();
    failing = -1;
    return true;
  } catch (const std::bad_alloc &) {
    failing = -1;
    return false;
  }
}

inline void *allocate(std::size_t bytes, std::size_t alignment) {
  if (allocations++ == failing) throw std::bad_alloc();
  bytes = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void *found = alignment > alignof(std::max_align_t) ? std::aligned_alloc(alignment, bytes) : std::malloc(bytes);
  if (found == nullptr) throw std::bad_alloc();
  return found;
}

} // namespace edgec::test

// NOLINTBEGIN(misc-new-delete-overloads,misc-definitions-in-headers)
void *operator new(std::size_t bytes) { return edgec::test::allocate(bytes, 1); }
void *operator new(std::size_t bytes, std::align_val_t alignment) {
  return edgec::test::allocate(bytes, static_cast<std::size_t>(alignment));
}
void *operator new(std::size_t bytes, const std::nothrow_t &) noexcept {
  return std::malloc(std::max<std::size_t>(bytes, 1));
}
// Not inlined: the compiler would see a pointer of new given to free.
[[gnu::noinline]] void operator delete(void *bytes) noexcept { std::free(bytes); }
[[gnu::noinline]] void operator delete(void *bytes, const std::nothrow_t &) noexcept { std::free(bytes); }
[[gnu::noinline]] void operator delete(void *bytes, std::size_t) noexcept { std::free(bytes); }
[[gnu::noinline]] void operator delete(void *bytes, std::align_val_t) noexcept { std::free(bytes); }
[[gnu::noinline]] void operator delete(void *bytes, std::size_t, std::align_val_t) noexcept { std::free(bytes); }
// NOLINTEND(misc-new-delete-overloads,misc-definitions-in-headers)
