// Networks in files: which door a file goes through, and what may be overwritten.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/graph.h"
#include "job/formats.h"
#include "support/result.h"

namespace edgec {

struct EditFlags;

/// How a network is read, and in which opset it goes on.
struct ReadOptions {
  OnnxReadOptions onnx;
  std::int64_t least_opset = 0; ///< raised to at least this
  std::int64_t exact_opset = 0; ///< converted to exactly this; 0: as it is
  bool fold = true;             ///< quantization into types; false: the nodes of an .onnx file as they are
};

/// Error (usage) where the name ends in none of `endings` (".json", ...; case does not count): which there are. A
/// folder is left to check_output().
Status check_ending(const std::string &path, std::span<const std::string_view> endings);

/// The format of an output: `wanted` (a name, or empty), else the first of the path's ending. Error (usage): another
/// ending, or both are given and do not fit. "-" is ONNX unless asked otherwise.
Result<const FormatDef *> output_format(const std::string &path, const std::string &wanted);

/// A network as its file has it, in the file's opset.
struct StoredGraph {
  Graph graph;           ///< quantization folded
  std::size_t nodes = 0; ///< of the file, sub-graphs included: before folding
  bool coded = false;    ///< an .edgec file
};

/// Reads .onnx or .edgec, told apart by content, infers the types of all values, and folds QuantizeLinear and
/// DequantizeLinear into quantized types. "-" is stdin. `edits` are applied before the
/// folding, and so is another opset, which is proven by running both; `stored` is the network in the opset of the file.
Result<Model> read_model(const std::string &path, const ReadOptions &options = {}, const EditFlags *edits = nullptr,
                         StoredGraph *stored = nullptr);

/// Error (usage) where writing `path` would overwrite an input or, without `force`, any file; bad_input where its
/// folder is missing. To be asked before long work.
Status check_output(const std::string &path, std::span<const std::string> inputs, bool force);

/// Writes the whole model or nothing; what the writer has to say is shown as warnings.
Status write_model(const Model &model, const std::string &path, const FormatDef &format,
                   const FormatWriteOptions &options);

/// Bytes of a file, external data beside it not counted; 0 where there is none.
std::uint64_t file_bytes(const std::string &path);

} // namespace edgec
