// ONNX files in and out. The only room that sees ONNX's or protobuf's headers.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "ir/graph.h"
#include "support/result.h"

namespace edgec {

class OpRegistry;

struct OnnxReadOptions {
  bool overridable = false;                    ///< initializers that are also inputs stay inputs
  const std::vector<Storage> *known = nullptr; ///< big tensors that hold the same as one of these share its bytes
};

/// Reads a model as it is stored (opsets below 7 are raised to 7), external data beside it included (opened safely).
/// Big tensors stay in the mapped files, or are copied where they lie badly there; none goes through a protobuf
/// message, so that a file may have more than 2 GB. Errors (bad_input, unsupported) name the file and say what it is
/// where it is not ONNX (HTML, Git LFS pointer, zip, TFLite, pickle...). "-" is stdin.
Result<Model> read_onnx(const std::filesystem::path &path, const OnnxReadOptions &options = {});

/// The same of bytes in memory; external data lies beneath `folder`.
Result<Model> parse_onnx(const Storage &bytes, const std::filesystem::path &folder,
                         const OnnxReadOptions &options = {});

/// Converts the default domain to an opset from 7 to the newest, up or down; the function stays the same, weights are
/// not touched. Operators that the opset lacks are written out by their function bodies. Graph inputs and outputs,
/// names, origins and metadata stay; downwards the IR version becomes the lowest that will do. The graph has types;
/// with `ops` so has the result. Error (unsupported): names the node that the opset cannot say; the model is as it was.
Status convert_opset(Model &model, std::int64_t target, const OpRegistry *ops);

/// How quantized types are spelled: QuantizeLinear/DequantizeLinear around float operators, or QLinear* operators.
enum class OnnxSpelling { qdq, qoperator };

struct OnnxWriteOptions {
  OnnxSpelling spelling = OnnxSpelling::qdq;
  /// Asked which operators run on codes directly (OpDef::codes_since); without it every one gets QDQ around it.
  const OpRegistry *ops = nullptr;
  bool force = false;         ///< replace an existing file
  bool external_data = false; ///< weights into FILE.data beside it (automatic above 2 GB)
};

/// The serialized file: nodes sorted, names made unique, opset and IR version as low as the content needs (never below
/// the model's own), checked by ONNX's checker (full_check) on a skeleton. A failure that the input had already is a
/// note in `warnings`.
Result<std::string> serialize_onnx(const Model &model, const OnnxWriteOptions &options,
                                   std::vector<std::string> *warnings = nullptr);

/// serialize_onnx and an atomic write.
Status write_onnx(const Model &model, const std::filesystem::path &path, const OnnxWriteOptions &options,
                  std::vector<std::string> *warnings = nullptr);

} // namespace edgec
