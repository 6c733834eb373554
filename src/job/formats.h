// The formats of files: what tells one, how it is read and written, and what schemes have to know of it.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/onnx/onnx.h"
#include "ir/graph.h"
#include "support/result.h"

namespace edgec {

struct FormatWriteOptions {
  bool force = false;      ///< replace an existing file
  bool inner_names = true; ///< of values and nodes inside, where the format can do without
};

struct FormatDef {
  std::string_view name;   ///< as --format says it
  std::string_view ending; ///< of names: ".onnx"
  /// Whether bytes are such a file; null: what no other format claims.
  bool (*holds)(ByteView) = nullptr;
  /// As the file has it.
  Result<Model> (*read)(const std::string &path, const OnnxReadOptions &onnx) = nullptr;
  /// What the file says by nodes becomes quantized types; null: it says it by types.
  Status (*normalize)(Graph &) = nullptr;
  Status (*write)(const Model &, const std::string &path, const FormatWriteOptions &,
                  std::vector<std::string> &warnings) = nullptr;
  bool border_nodes = false; ///< quantized values stand between QuantizeLinear and DequantizeLinear, which take bytes
  bool integer_operators = false; ///< operators in integer form, whose results are all quantized
  bool coded = false;             ///< weights are coded by their entropy: a file's size depends on their values
  int channel_multiple = 1;       ///< of which runtimes that read it like as many channels
};

/// The first of an ending is the one that its names mean.
std::span<const FormatDef> all_formats();
std::vector<std::string> format_names();
/// By its name; null: there is none.
const FormatDef *find_format(std::string_view name);
/// By content, not by name; a stream ("-") is taken as ONNX.
Result<const FormatDef *> format_of_file(const std::string &path);

} // namespace edgec
