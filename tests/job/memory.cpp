// An allocation that fails, wherever it is and on whatever thread: the caller learns it, and the process lives.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "formats/flat/flat.h"
#include "formats/onnx/onnx.h"
#include "job/compressor.h"
#include "job/model_file.h"
#include "kernels/isa.h"
#include "ops/registry.h"
#include "tests/failing_memory.h"
#include "tests/schemes/settings.h"

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
  std::optional<std::string> bytes;
  test::without_allocation(allocation, [&] {
    auto found = compress_digits(threads);
    if (found)
      bytes = *std::move(found);
    else
      EXPECT_EQ(found.error().code, Code::resource) << found.error().message;
  });
  return bytes;
}

TEST(Memory, AnAllocationThatFailsReachesTheCaller) {
  constexpr std::int64_t places = 32;
  for (const int threads : {1, 3}) {
    const auto whole = compress_without(-1, threads);
    ASSERT_TRUE(whole);
    const std::int64_t count = test::allocations;
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
