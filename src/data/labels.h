// The right answers to samples.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/samples.h"
#include "support/result.h"

namespace edgec {

struct Labels {
  std::vector<std::int64_t> classes; ///< of each row of the samples
  std::vector<std::string> names;    ///< sorted class names whose ranks the labels are; empty: they are numbers
  std::string source;                ///< a file, an array of it, or the folder of class folders
  std::vector<std::size_t> lines;    ///< of each row in the list `source`, from 1; empty: it is not a list

  /// "labels.csv: line 3", "x.npz: array 'y'[2]": where a row's label stands.
  [[nodiscard]] std::string place(std::size_t row) const;
};

/// Labels for the rows of `samples`, opened from `data`: a list `file,label` (matched by file where the samples are
/// images, else by order), a .npy, a .npz (array `y`, `label`, `labels`, `target`, `targets` or `classes`); where
/// `path` is empty, those of `data` itself, or of its class folders. An array holds a whole number for each row, or a
/// one-hot row, or names. A name's label is its rank among all names, sorted by bytes. Nothing: there are none. Errors:
/// a sample without label, a count that differs, names among numbers, a negative label.
Result<std::optional<Labels>> open_labels(const std::string &path, const std::string &data, const SampleSet &samples);

/// Whether an array of a .npz is taken for labels by its name.
bool names_labels(std::string_view array);

} // namespace edgec
