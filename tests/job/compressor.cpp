// The main job in memory: what becomes of it when a signal comes.
#include "job/compressor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>

#include "formats/flat/flat.h"
#include "job/model_file.h"
#include "schemes/rate/options.h"
#include "support/cancel.h"

namespace edgec {
namespace {

constexpr std::size_t wanted_bytes = 12000;

/// Compresses a small network for a size; the signal comes when `probe` networks have been seen.
Result<Compressed> compress_interrupted_at(std::size_t probe) {
  catch_interrupts();
  const std::string models = EDGEC_SOURCE_DIR "/models/";
  EDGEC_ASSIGN(const Model source, read_model(models + "digits_mlp.onnx"));
  DataFlags flags{.path = models + "digits_calib.npz", .preprocess = {}, .labels = {}, .limit = 40};
  EDGEC_ASSIGN(const Dataset data, open_dataset(flags, source.graph, 0));
  CompressRequest request;
  request.settings = RateOptions{.max_size = wanted_bytes};
  std::size_t seen = 0;
  request.file_bytes = [&](const Graph &graph) -> Result<std::size_t> {
    if (seen++ == probe) std::raise(SIGINT);
    EDGEC_ASSIGN(const auto bytes, serialize_flat({.graph = graph}, {}));
    return bytes.size();
  };
  auto result = compress(source.graph, request, data);
  take_interrupt();
  return result;
}

TEST(Compressor, ASignalLeavesTheBestSoFar) {
  for (std::size_t probe = 1;; ++probe) {
    ASSERT_LT(probe, 9U);
    const auto result = compress_interrupted_at(probe);
    if (!result) {
      EXPECT_EQ(result.error().code, Code::interrupted);
      continue;
    }
    ASSERT_TRUE(result->outcome.interrupted);
    const auto chosen = std::ranges::find(result->outcome.curve, true, &RatePoint::chosen);
    ASSERT_NE(chosen, result->outcome.curve.end());
    EXPECT_LE(chosen->bytes, wanted_bytes);
    EXPECT_TRUE(std::ranges::any_of(
        result->passes, [](const PassFigures &pass) { return pass.name == "round-weights" && pass.changed; }));
    break;
  }
}

TEST(Compressor, ASignalBeforeAnythingFitsLeavesNothing) {
  const auto result = compress_interrupted_at(0);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, Code::interrupted);
}

} // namespace
} // namespace edgec
