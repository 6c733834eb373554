// `edgec compress` on a network and samples made by a test: every scheme's flags, and what must hold of every run.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "data/samples.h"
#include "ir/graph.h"

namespace edgec {

/// What is asked of `compress`, and the ending of the file.
struct Scheme {
  std::string flags, ending = ".onnx";
};

/// Every way to make this network smaller; budgets are shares of what it has.
std::vector<Scheme> every_scheme(const Graph &graph);

/// One run of the program.
struct CompressRun {
  int status = -1; ///< below 0: killed by this signal
  std::string errors;
  std::vector<std::string> warnings; ///< of the report
  bool written = false;
  Graph result; ///< what was written

  [[nodiscard]] bool poor() const;
};

/// How far a network is from another one on samples; infinities in the same places are not a difference.
struct Distance {
  double least_db = 1e9;      ///< of the outputs that hold numbers and are not always 0
  double least_agreement = 1; ///< of the outputs that hold integers
  std::string error;
};
Distance distance(const Graph &reference, const Graph &test, const std::vector<Sample> &samples);

/// Writes network and samples to files and compresses them with these flags; run() checks what must hold of every run:
/// a documented status, a sentence with each that is not 0, a file only with 0 and 1 (else what was there before
/// stays), and that it loads.
class CompressBench {
public:
  CompressBench(const Graph &graph, const std::vector<Sample> &samples);
  ~CompressBench();
  CompressBench(const CompressBench &) = delete;
  CompressBench &operator=(const CompressBench &) = delete;
  CompressRun run(const Scheme &scheme) const;

private:
  std::string folder_;
};

} // namespace edgec
