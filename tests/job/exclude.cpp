// --exclude makes a layer float and its neighbours no worse: of each single layer of the networks of models/, it costs
// at most one decibel of what everything in int8 keeps, in the file that is written.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "job/compressor.h"
#include "job/model_file.h"
#include "ops/registry.h"
#include "runtime/plan.h"
#include "schemes/int8/options.h"
#include "tests/schemes/settings.h"

namespace edgec {
namespace {

const std::string models = EDGEC_SOURCE_DIR "/models/";

/// Of the file that becomes of the network, on samples that it was not fitted to.
double int8_sqnr_db(const Graph &source, const Dataset &data, const std::string &excluded, const FormatDef &format) {
  CompressRequest request;
  request.settings = settings_of({"int8", "effort=fast"});
  request.settings.edit<Int8Options>().integer_results = format.integer_operators;
  request.cross_fit = false;
  request.border_nodes = format.border_nodes;
  if (!excluded.empty()) request.scope.exclude.push_back(Pattern::parse(excluded).value());
  const auto compressed = compress(source, request, data);
  if (!compressed) return ADD_FAILURE() << compressed.error().message, 0;
  Model model;
  model.graph = compressed->graph;
  const std::string path = testing::TempDir() + fmt::format("edgec_exclude.{}.onnx", ::getpid());
  const Status written = write_model(model, path, format, {.force = true});
  if (!written) return ADD_FAILURE() << written.error().message, 0;
  const auto back = read_model(path);
  if (!back) return ADD_FAILURE() << back.error().message, 0;
  Runner a(source, all_ops(), {}), b(back->graph, all_ops(), {});
  double signal = 0, noise = 0;
  for (std::size_t i = 0; i < 64; ++i) {
    const Sample sample = data.samples->load(data.rest.at(i)).value();
    const auto wanted = to_doubles(a.run_tensors(sample).value()[0]),
               found = to_doubles(b.run_tensors(sample).value()[0]);
    for (std::size_t k = 0; k < wanted.size(); ++k)
      signal += wanted[k] * wanted[k], noise += (wanted[k] - found[k]) * (wanted[k] - found[k]);
  }
  return 10 * std::log10(signal / noise);
}

TEST(Exclude, AnyOneLayerCostsAtMostADecibel) {
  std::size_t count = 0;
  for (const char *name : {"digits_cnn.onnx", "digits_mlp.onnx"}) {
    const auto source = read_model(models + name);
    ASSERT_TRUE(source);
    const auto data = open_dataset({.path = models + "digits_calib.npz", .preprocess = {}, .labels = {}, .limit = 16},
                                   source->graph, 0);
    ASSERT_TRUE(data) << data.error().message;
    for (const char *format_name : {"qdq", "qoperator"}) {
      const FormatDef &format = *find_format(format_name);
      const double all = int8_sqnr_db(source->graph, *data, "", format);
      for (const NodeId id : source->graph.nodes()) {
        const Node &node = source->graph.node(id);
        EXPECT_GE(int8_sqnr_db(source->graph, *data, node.label(), format), all - 1)
            << name << " without " << node.label();
        ++count;
      }
    }
  }
  RecordProperty("cases", static_cast<int>(count));
}

} // namespace
} // namespace edgec
