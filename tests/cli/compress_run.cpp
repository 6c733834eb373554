#include "tests/cli/compress_run.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "data/npy.h"
#include "job/model_file.h"
#include "measure/fidelity.h"
#include "measure/sizes.h"
#include "ops/registry.h"
#include "runtime/plan.h"

namespace edgec {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path &path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Samples one below the other, an array for each input.
std::vector<std::pair<std::string, Tensor>> arrays_of(const Graph &graph, const std::vector<Sample> &samples) {
  std::vector<std::pair<std::string, Tensor>> arrays;
  for (std::size_t i = 0; i < graph.inputs().size(); ++i) {
    std::vector<double> values;
    for (const Sample &sample : samples) std::ranges::copy(to_doubles(sample[i]), std::back_inserter(values));
    Dims dims = samples.front()[i].dims;
    dims.insert(dims.begin(), static_cast<std::int64_t>(samples.size()));
    arrays.emplace_back(graph.value(graph.inputs()[i]).name, from_doubles(samples.front()[i].dtype, dims, values));
  }
  return arrays;
}

} // namespace

std::vector<Scheme> every_scheme(const Graph &graph) {
  const GraphSizes sizes = measure_sizes(graph, all_ops());
  const auto bytes = static_cast<std::uint64_t>(2500 + sizes.parameters);
  std::vector<Scheme> schemes;
  for (const char *flags : {"--int8",
                            "--int8 --effort fast --range minmax",
                            "--int8 --range mse --equalize on",
                            "--int8 --range entropy",
                            "--int8 --weight-bits 4",
                            "--int8 --input-bits 16",
                            "--int8 --format qoperator",
                            "--int8 --prune 0.5",
                            "--int8 --share 4",
                            "--prune 0.5",
                            "--prune 0.5 --effort fast",
                            "--prune 2:4",
                            "--float16",
                            "--bfloat16",
                            "--prune-channels 0.3 --channel-multiple 1",
                            "--int8 --prune-channels 0.3 --channel-multiple 1",
                            "--low-rank 0.6 --low-rank-sqnr 10",
                            "--share 3",
                            "--share 4 --effort fast",
                            "--share 3 --share-codebook network",
                            "--int8 --max-drop 1"})
    schemes.push_back({flags});
  schemes.push_back({fmt::format("--max-macs {:.0f} --channel-multiple 1", std::max(1.0, 0.6 * sizes.macs))});
  for (const std::string &flags :
       {std::string("--int8"), std::string("--share-hash 0.5"), std::string("--prune 0.5 --share 4"),
        std::string("--rate 1e-3"), std::string("--max-drop 1"), fmt::format("--max-size {}", bytes),
        fmt::format("--int8 --max-size {}", bytes), fmt::format("--prune 0.5 --max-size {}", bytes)})
    schemes.push_back({flags, ".edgec"});
  return schemes;
}

bool CompressRun::poor() const {
  return std::ranges::any_of(warnings, [](const std::string &text) { return text.starts_with("POOR RESULT"); });
}

Distance distance(const Graph &reference, const Graph &test, const std::vector<Sample> &samples) {
  Distance found;
  Runner a(reference, all_ops(), {}), b(test, all_ops(), {});
  std::vector<Noise> noise(reference.outputs().size());
  std::vector<double> same(noise.size()), all(noise.size());
  for (const Sample &sample : samples) {
    const auto wanted = a.run_tensors(sample), got = b.run_tensors(sample);
    if (!wanted || !got) return found.error = (wanted ? got : wanted).error().message, found;
    for (std::size_t i = 0; i < noise.size(); ++i) {
      const auto x = to_doubles((*wanted)[i]), y = to_doubles((*got)[i]);
      if ((*wanted)[i].dims != (*got)[i].dims) return found.error = "other dims", found;
      if (!is_float((*wanted)[i].dtype)) {
        for (std::size_t k = 0; k < x.size(); ++k) same[i] += x[k] == y[k], ++all[i];
      } else if (!std::ranges::any_of(x, [](double v) { return std::isnan(v); })) {
        noise[i].add(x, y);
      }
    }
  }
  for (std::size_t i = 0; i < noise.size(); ++i) {
    if (all[i] > 0) found.least_agreement = std::min(found.least_agreement, same[i] / all[i]);
    if (noise[i].signal > 0) found.least_db = std::min(found.least_db, noise[i].sqnr_db().value_or(1e9));
  }
  return found;
}

CompressBench::CompressBench(const Graph &graph, const std::vector<Sample> &samples) {
  std::string name = (fs::temp_directory_path() / "edgec-run-XXXXXX").string();
  folder_ = ::mkdtemp(name.data());
  Model model;
  model.graph = graph;
  const Status written = write_model(model, folder_ + "/in.onnx", *find_format("qdq"), {});
  EXPECT_TRUE(written) << written.error().message;
  const Status saved = save_npz(folder_ + "/in.npz", arrays_of(graph, samples), false);
  EXPECT_TRUE(saved) << saved.error().message;
}

CompressBench::~CompressBench() { fs::remove_all(folder_); }

CompressRun CompressBench::run(const Scheme &scheme) const {
  const std::string out = folder_ + "/out" + scheme.ending, before = "what was there before";
  std::ofstream(out) << before;
  fs::remove(folder_ + "/report.json");
  const std::string command = fmt::format("cd '{0}' && '{1}' compress in.onnx {2} --calib in.npz -o 'out{3}' --force "
                                          "--report report.json --threads 1 > out.txt 2> err.txt < /dev/null",
                                          folder_, EDGEC_PROGRAM, scheme.flags, scheme.ending);
  const int status = std::system(command.c_str());
  CompressRun run;
  run.status = WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  run.errors = text_of(folder_ + "/err.txt");
  run.written = text_of(out) != before;
  const std::string report = text_of(folder_ + "/report.json");
  if (!report.empty()) run.warnings = nlohmann::json::parse(report).at("warnings").get<std::vector<std::string>>();
  EXPECT_TRUE(run.status >= 0 && run.status <= 5) << run.status << ": " << run.errors;
  EXPECT_EQ(run.written, run.status == 0 || run.status == 1) << run.errors;
  EXPECT_TRUE(run.status == 0 || run.errors.find(run.status == 1 ? "edgec: " : "edgec: error: ") != std::string::npos)
      << run.errors;
  for (const auto &file : fs::directory_iterator(folder_)) // nothing else is left
    EXPECT_TRUE(file.path().string().find(out + ".") == std::string::npos) << file.path();
  if (!run.written) return run;
  auto back = read_model(out);
  EXPECT_TRUE(back) << back.error().message;
  if (back) run.result = std::move(back->graph);
  return run;
}

} // namespace edgec
