// The samples that --calib and --data name, opened for a network.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/labels.h"
#include "data/samples.h"
#include "ir/graph.h"
#include "ir/kernel.h"
#include "support/option.h"

namespace edgec {

/// --data and what goes with it, for commands that run a network on samples.
struct DataFlags {
  std::string path, preprocess, labels;
  std::int64_t limit = 0; ///< samples; 0: all
  bool labelled = false;  ///< labels are wanted, where there are some

  void declare(Options &options, bool with_labels);
};

/// Samples opened for a network; `samples` is null where there are none.
struct Dataset {
  std::unique_ptr<SampleSet> samples;
  std::vector<std::size_t> indices; ///< the calls used
  std::vector<std::size_t> rest;    ///< those beyond the limit
  std::optional<Labels> labels;
  std::string path;        ///< as it was given
  std::string description; ///< "digits_test.npz, 450 samples"
  bool synthetic = false;
  static constexpr std::size_t most_judging = 200; ///< beyond the limit
  std::size_t judging = most_judging;              ///< of those, as many as time is to be spent on

  /// Those beyond the limit that results are judged on.
  [[nodiscard]] std::span<const std::size_t> unseen() const {
    return std::span(rest).first(std::min(judging, rest.size()));
  }
  /// Those beyond the limit that nothing is judged on: long work may use them.
  [[nodiscard]] std::span<const std::size_t> more() const {
    return std::span(rest).subspan(std::min(most_judging, rest.size()));
  }
};

/// The first samples of those used, at most `count`.
Result<std::vector<Sample>> first_samples(const Dataset &data, std::size_t count);

/// "input float[1,1,49,10], values -124 .. 98.2": of each input that holds numbers.
std::string values_text(const Sample &sample, std::span<const InputSpec> inputs);

/// What a network's inputs want of samples.
std::vector<InputSpec> input_specs(const Graph &graph);

/// Opens the samples and loads the first, so that what does not fit is said before long work. With -v that sample is
/// described; the range of its values is always said. Where data do not look like what the network was trained on, that
/// is a warning (job/doubts.h). Errors (bad_input) name the file: none there, no sample in it, shapes or types that do
/// not fit.
Result<Dataset> open_dataset(const DataFlags &flags, const Graph &graph, std::uint64_t seed);

/// `count` seeded synthetic samples, where there is no data.
Result<Dataset> synthetic_dataset(const Graph &graph, std::size_t count, std::uint64_t seed);

/// `count` samples made up for the network as it is stored, scaled as it seems to want them; `description` says how.
Result<Dataset> made_up_dataset(const Graph &graph, std::size_t count, int threads, Isa isa, std::uint64_t seed);

/// Whether a network may go unmeasured after this error: it cannot be run, or not on made-up inputs.
bool excusable(const Error &error, const Dataset &data);

} // namespace edgec
