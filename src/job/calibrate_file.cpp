#include "job/calibrate_file.h"

#include <fmt/format.h>

#include "calibrate/calibrate.h"
#include "calibrate/foreign_ranges.h"
#include "job/model_file.h"
#include "ops/registry.h"
#include "passes/pipeline.h"
#include "schemes/half/widened.h"
#include "schemes/precision.h"
#include "support/file.h"
#include "support/number.h"

namespace edgec {
namespace {

/// Values that could become codes.
std::vector<ValueId> float_values(const Graph &graph) {
  std::vector<ValueId> found;
  for (const ValueId id : graph.values()) {
    const Type &type = graph.value(id).type;
    const bool given = graph.is_input(id) || graph.producer(id) != nullptr;
    if (given && type.is_tensor() && type.dtype == DType::float32 && !type.is_quantized()) found.push_back(id);
  }
  return found;
}

/// What a half of the shard's samples shows; nothing where it has none.
Result<RangeStatistics> statistics_of(const Graph &graph, const Dataset &data, std::vector<std::size_t> samples,
                                      const CalibrationOptions &options) {
  if (samples.empty()) return RangeStatistics();
  EDGEC_ASSIGN(const Calibration found, calibrate(graph, all_ops(), *data.samples, samples, options));
  const int all[] = {0};
  return found.merged(all);
}

} // namespace

Result<Shard> parse_shard(const std::string &text) {
  const std::size_t slash = std::min(text.find('/'), text.size());
  const auto index = parse_number<std::size_t>(std::string_view(text).substr(0, slash));
  const auto count = parse_number<std::size_t>(std::string_view(text).substr(std::min(slash + 1, text.size())));
  if (!index || !count || *index >= *count)
    return usage_error(fmt::format("--shard {}: INDEX/COUNT was expected, as 0/4 to 3/4", text));
  return Shard{*index, *count};
}

Result<RangeTable> calibrate_file(const CalibrateFile &file, ProgressSink &progress) {
  progress.begin("reading");
  EDGEC_CHECK(file.passes.check());
  EDGEC_ASSIGN(const Isa isa, file.run.isa());
  ReadOptions reading;
  reading.exact_opset = file.opset;
  reading.least_opset = file.opset > 0 ? 0 : uint8_values.least_opset();
  EDGEC_ASSIGN(Model model, read_model(file.model, reading, &file.edits));
  EDGEC_ASSIGN(const Dataset data, open_dataset(file.data, model.graph, file.run.seed));
  EDGEC_CHECK(widen(model.graph, all_ops(), other_floats(model.graph, all_ops()))); // as compress does
  const auto passes = exact_pipeline();
  const auto names = names_of(passes);
  progress.begin("rewriting");
  EDGEC_CHECK(run_pipeline(model.graph, passes, {.ops = all_ops()}, file.passes.pipeline_options(names)));
  std::vector<std::size_t> halves[2];
  for (std::size_t at = file.shard.index; at < data.indices.size(); at += file.shard.count)
    halves[at % 2].push_back(data.indices[at]);
  RangeTable table{model.source_sha256, halves[0].size() + halves[1].size(), {}};
  if (table.samples == 0)
    return usage_error(fmt::format("--shard {}/{}: there are only {} samples", file.shard.index, file.shard.count,
                                   data.indices.size()));
  CalibrationOptions options;
  options.ranges = float_values(model.graph);
  options.histograms = true;
  options.folds = 1;
  options.threads = file.run.threads();
  options.isa = isa;
  options.progress = [&](std::size_t done, std::size_t all) { progress.show("calibrating", done, all); };
  for (std::size_t half = 0; half < 2; ++half) {
    EDGEC_ASSIGN(const auto statistics, statistics_of(model.graph, data, halves[half], options));
    for (const ValueId id : options.ranges) {
      const auto found = statistics.find(id);
      ValueStatistics &kept = table.values[value_key(model.graph, id)][half];
      if (found != statistics.end()) kept = found->second;
      if (!kept.histogram) kept.histogram = std::make_shared<LogHistogram>();
    }
  }
  return table;
}

Result<RangeTable> read_range_tables(std::span<const std::string> paths, const std::string &model_sha256) {
  RangeTable table;
  for (const std::string &path : paths) {
    EDGEC_ASSIGN(const Storage file, read_file(path));
    const std::string_view text{reinterpret_cast<const char *>(file.data()), file.size()};
    EDGEC_ASSIGN(auto foreign, parse_foreign_ranges(text).in(path));
    if (foreign && paths.size() > 1)
      return usage_error(fmt::format("--ranges {}: a table of another tool cannot be merged with others", path));
    if (foreign) return *std::move(foreign);
    EDGEC_ASSIGN(RangeTable part, parse_range_table(text).in(path));
    if (part.model_sha256 != model_sha256)
      return bad_input(fmt::format("{}: is of another network than the one to be compressed", path));
    if (&path == paths.data())
      table = std::move(part);
    else
      EDGEC_CHECK(table.merge(part).in(path));
  }
  return table;
}

} // namespace edgec
