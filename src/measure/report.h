// What a command tells about its work: one struct, shown as a table for people or as JSON for machines, with the same
// figures in both. The JSON's schema is report.schema.json beside this file.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "measure/answer_changes.h"
#include "measure/fidelity.h"
#include "measure/histogram.h"
#include "measure/pareto.h"
#include "measure/sizes.h"

namespace edgec {

/// Where a result comes from: what is needed to get it again.
struct Provenance {
  std::string program = "edgec", version, command;
  std::vector<std::pair<std::string, std::string>> options; ///< those that affect the result, as effective
  std::uint64_t seed = 0;
  std::string isa; ///< instruction set that ran
  std::string input, input_sha256;
  std::string output, output_sha256; ///< empty: nothing was written
};

/// A network as a file.
struct ModelFigures {
  std::uint64_t bytes = 0; ///< of the file, external data included
  std::uint64_t parameters = 0, nonzero_parameters = 0;
  std::uint64_t parameter_bytes = 0; ///< of the parameters as stored, uncompressed
  double macs = 0;                   ///< of one sample
  std::size_t nodes = 0;
  bool coded = false; ///< an .edgec file, which packs its weights: the bits of a parameter are those of the file

  static ModelFigures of(const GraphSizes &sizes, std::uint64_t file_bytes);
  /// Mean bits a parameter takes where it is stored.
  [[nodiscard]] double bits() const;
};

/// Accuracy and fidelity with what they rest on.
struct MeasuredFidelity {
  Fidelity fidelity;
  std::string samples;    ///< "imagenet/eval.csv, 800 samples", "2 held-out folds of calib.csv"
  std::string reference;  ///< what it was compared with; empty: nothing
  bool synthetic = false; ///< random inputs: the figures say little
};

struct LatencyFigures {
  int threads = 1;
  std::size_t runs = 0;
  double median_ms = 0, p90_ms = 0, minimum_ms = 0;
};

struct NoteFigures {
  std::string node, text;
  bool skipped = false; ///< something was left as it was
};

struct PassFigures {
  std::string name;
  bool changed = false;
  double seconds = 0;
  std::vector<NoteFigures> notes;
};

/// One layer of the result.
struct LayerFigures {
  std::string name, op;
  std::uint64_t parameters = 0, zeros = 0;
  std::uint64_t distinct = 0;    ///< values of its weight
  double bits = 0;               ///< a parameter takes
  std::uint64_t bytes = 0;       ///< of its parameters as stored, uncompressed
  std::uint64_t float_bytes = 0; ///< of those that are float and no earlier layer reads
  bool in_body = false;          ///< of an If, Loop or Scan
  std::optional<double> macs;
  bool integer = false;          ///< computes on codes
  std::optional<double> sqnr_db; ///< of its output against the float network's; nothing: not measured or equal
  std::string remark;            ///< how its output compares: equalized, or with channels removed
  std::string left_float;        ///< why it was not quantized, where that was asked for; empty: it was
  Histogram weights;             ///< of its weight's reals; empty: not counted
};

/// One layer of the input: what its parameters took.
struct LayerBytes {
  std::string name, op;
  std::uint64_t parameters = 0, bytes = 0;
};

/// One node of the result, to be drawn.
struct NodeFigures {
  std::string name, op;
  std::string number;              ///< "int8", "float": that it computes with
  std::vector<std::size_t> inputs; ///< the nodes that it reads from, all of them before it
  std::optional<double> sqnr_db;   ///< as of a layer
};

/// A value between layers that became codes.
struct ActivationFigures {
  std::string name, node; ///< node: which gives it; empty: it is an input
  int bits = 8;
  double low = 0, high = 0;        ///< reals that the codes reach
  double minimum = 0, maximum = 0; ///< of the values seen
  double clipped = 0;              ///< share of the values outside low .. high
  Histogram seen;                  ///< of those values
};

/// A limit that the user set.
struct BudgetFigures {
  std::string name;            ///< "--min-agreement"
  double limit = 0, found = 0; ///< NaN: what it limits could not be measured
  bool met = true;
  std::optional<double> bound; ///< of --max-drop: with 95 % confidence no more is lost (measure/confidence.h)
  std::size_t answers = 0;     ///< that this rests on
  std::string metric;          ///< of --max-drop, on the samples of --eval; empty: agreement
};

/// "0.5"; or that it could not be measured.
std::string found_text(const BudgetFigures &budget);

struct Report {
  Provenance provenance;
  std::optional<ModelFigures> before, after;
  std::optional<MeasuredFidelity> verified;  ///< the written file against the reference
  bool made_up = false;                      ///< there were made-up samples only: no figure is taken on them
  std::string unverified;                    ///< why it could not be compared; empty: it was, or there was no data
  std::optional<MeasuredFidelity> evaluated; ///< with the labels of --eval: accuracy of both
  std::optional<AnswerChanges> changes; ///< behind `evaluated`, else `verified`, where samples have one answer each
  std::optional<LatencyFigures> latency_before, latency_after;
  std::uint64_t peak_memory_bytes = 0; ///< of the process; 0: not known
  double seconds = 0;                  ///< of the whole command
  std::vector<PassFigures> passes;
  std::vector<LayerFigures> layers;
  std::vector<LayerBytes> layers_before;
  std::vector<NodeFigures> nodes; ///< of the result, in order
  std::vector<ActivationFigures> activations;
  std::optional<Pareto> search; ///< what a search saw
  std::vector<BudgetFigures> budgets;
  std::vector<std::string> notes; ///< what the reader changed or found
  std::vector<std::string> warnings;
  std::vector<std::string> next; ///< what to try next
};

/// Layers of a network's sizes, as far as they say it.
std::vector<LayerFigures> layer_figures(const GraphSizes &sizes);

/// Lines for people. The last ones are always: size before and after, error against the reference or "NOT VERIFIED"
/// and why, what to try next. `verbose` adds the layers and every note of every pass.
std::string report_text(const Report &report, bool verbose, std::size_t width = 0);
/// The report as JSON, indented, ended by a newline. Numbers that are not finite, and figures that are not there, are
/// null.
std::string report_json(const Report &report);

} // namespace edgec
