// What a person looks for in a report, found in its figures: what the bytes are spent on, where the error arises, what
// to try.
#pragma once

#include <string>
#include <vector>

#include "report/view.h"

namespace edgec {

struct LayerBytesBeside {
  std::string name, op;
  double before = 0, after = 0; ///< bytes of its parameters, uncompressed
  double bits = 0;              ///< a parameter takes in the result
};
/// Layers of the result and, by name, of the input, largest first; one that is in the input alone was merged or cut.
std::vector<LayerBytesBeside> bytes_by_layer(const View &run);

struct LayerLoss {
  std::string name, op;
  double sqnr_db = 0; ///< of its output against the float network's
  /// Of all noise that arises, this layer's part: its noise-to-signal ratio less the largest of what it reads, over the
  /// sum of these. An estimate: layers also amplify and hide what they read.
  double share = 0;
};
/// Of every node that was measured, in the order of the graph.
std::vector<LayerLoss> losses(const View &run);
/// The same that lose something, worst first.
std::vector<LayerLoss> worst_losses(const View &run);

enum class Verdict { good, look, poor, unverified };
Verdict verdict_of(const View &run);
std::string verdict_text(const View &run);

/// Sentences: why the file is as large as it is.
std::vector<std::string> why_so_large(const View &run);
/// What the report says to try next, and the flags that keep the worst layers float.
std::vector<std::string> what_to_try(const View &run);

/// The 95 % interval of a share (Wilson 1927), low and high.
std::pair<double, double> interval_of(double share, double samples);

/// "digits_cnn.onnx": the last part of a path.
std::string file_name(const std::string &path);

} // namespace edgec
