// An allocation that fails, wherever it is and on whatever thread: the caller learns it, and the process lives.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fmt/format.h>
#include <new>
#include <optional>
#include <string>

#include "formats/flat/flat.h"
#include "formats/onnx/onnx.h"
#include "job/compressor.h"
#include "job/model_file.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "tests/schemes/settings.h"

namespace {

std::atomic<std::int64_t> allocations = 0, failing = -1; // the number of the one that fails

void *allocate(std::size_t bytes, std::size_t alignment) {
  if (allocations++ == failing) throw std::bad_alloc();
  bytes = (std::max<std::size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void *found = alignment > alignof(std::max_align_t) ? std::aligned_alloc(alignment, bytes) : std::malloc(bytes);
  if (found == nullptr) throw std::bad_alloc();
  return found;
}

} // namespace

// NOLINTBEGIN(misc-new-delete-overloads)
void *operator new(std::size_t bytes) { return allocate(bytes, 1); }
void *operator new(std::size_t bytes, std::align_val_t alignment) {
  return allocate(bytes, static_cast<std::size_t>(alignment));
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
// NOLINTEND(misc-new-delete-overloads)

namespace edgec {
namespace {

/// A network read, compressed and made a file of each format: bytes.
Result<std::string> compress_digits(int threads) {
  const std::string models = EDGEC_SOURCE_DIR "/models/";
  EDGEC_ASSIGN(const Model source, read_model(models + "digits_cnn.onnx"));
  DataFlags flags{.path = models + "digits_calib.npz", .preprocess = {}, .labels = {}, .limit = 6};
  EDGEC_ASSIGN(const Dataset data, open_dataset(flags, source.graph, 0));
  CompressRequest request;
  request.settings = settings_of({"int8"});
  request.threads = threads;
  request.isa = detect_isa();
  EDGEC_ASSIGN(const Compressed compressed, compress(source.graph, request, data));
  EDGEC_ASSIGN(std::string bytes, serialize_onnx({.graph = compressed.graph}, {.ops = &all_ops()}));
  EDGEC_ASSIGN(const auto flat, serialize_flat({.graph = compressed.graph}, {}));
  bytes.append(reinterpret_cast<const char *>(flat.data()), flat.size());
  return bytes;
}

/// The bytes; nothing where memory ran out and the caller was told.
std::optional<std::string> compress_without(std::int64_t allocation, int threads) {
  allocations = 0;
  failing = allocation;
  try {
    const auto bytes = compress_digits(threads);
    failing = -1;
    if (bytes) return *bytes;
    EXPECT_EQ(bytes.error().code, Code::resource) << bytes.error().message;
  } catch (const std::bad_alloc &) {
    failing = -1;
  }
  return {};
}

TEST(Memory, AnAllocationThatFailsReachesTheCaller) {
  constexpr std::int64_t places = 32;
  for (const int threads : {1, 3}) {
    const auto whole = compress_without(-1, threads);
    ASSERT_TRUE(whole);
    const std::int64_t count = allocations;
    int told = 0;
    for (std::int64_t i = 0; i < places; ++i) {
      const std::int64_t place = count * i / places + i; // not always the same in a loop
      SCOPED_TRACE(fmt::format("allocation {} of {}, {} threads", place, count, threads));
      const auto found = compress_without(place, threads);
      told += found ? 0 : 1;
      EXPECT_EQ(found.value_or(*whole), *whole);
    }
    EXPECT_GT(told, places / 2);
    EXPECT_EQ(compress_without(-1, threads), whole); // nothing was left in disorder
  }
}

} // namespace
} // namespace edgec
