// Models to files: as low an opset and IR version as the content allows, checked before anything is written.
#include <fmt/format.h>

#include <algorithm>
#include <climits>
#include <memory>

#include "formats/onnx/file_bytes.h"
#include "formats/onnx/graph_writer.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/prepare.h"
#include "formats/onnx/settle.h"
#include "formats/onnx/skeleton.h"
#include "formats/onnx/spelling.h"
#include "formats/onnx/window_pads.h"
#include "formats/onnx/wire.h"
#include "support/file.h"

namespace edgec {
namespace {

void write_header(const Model &model, onnx::ModelProto &proto) {
  proto::put_opsets(model.graph.opsets, proto);
  const auto graph_values = model.graph.values();
  const bool constants =
      std::ranges::any_of(graph_values, [&](ValueId id) { return model.graph.value(id).data.has_value(); });
  // Before version 4, initializers had to be graph inputs.
  proto.set_ir_version(std::max({model.ir_version, proto::ir_version_for(proto), std::int64_t{constants ? 4 : 3}}));
  if (!model.producer_name.empty()) proto.set_producer_name(model.producer_name);
  if (!model.producer_version.empty()) proto.set_producer_version(model.producer_version);
  if (!model.domain.empty()) proto.set_domain(model.domain);
  if (!model.doc.empty()) proto.set_doc_string(model.doc);
  if (model.model_version != 0) proto.set_model_version(model.model_version);
  proto::put_metadata(model.metadata, proto);
}

void put_denotations(const Model &model, onnx::GraphProto &graph) {
  for (auto *list : {graph.mutable_input(), graph.mutable_output()})
    for (auto &info : *list) {
      onnx::TypeProto type;
      const auto found = model.denotations.find(info.name());
      if (found != model.denotations.end() && type.ParseFromString(found->second))
        proto::copy_denotation(type, *info.mutable_type());
    }
}

Status check(const Model &model, onnx::ModelProto &proto, std::vector<std::string> *warnings) {
  EDGEC_CHECK(proto::check_equations(proto));
  const proto::Verdict verdict = proto::settle(proto);
  if (verdict.failure.empty()) return {};
  if (!verdict.tolerable && model.source_failure.empty())
    return internal_error(fmt::format("ONNX's checker refuses the model that would be written: {}", verdict.failure));
  if (warnings)
    warnings->push_back(fmt::format("ONNX's checker refuses the model{}: {}",
                                    model.source_failure.empty() ? "" : ", as it did the input", verdict.failure));
  return {};
}

/// A model as bytes: those of its file and those of the file beside it, which `owner` keeps.
struct Serialized {
  std::string message; ///< without big tensors
  proto::Rope model;
  std::vector<ByteView> external;
  Graph owner;
};

Result<std::unique_ptr<Serialized>> serialize(const Model &model, const OnnxWriteOptions &options,
                                              proto::Weights weights, const std::string &location,
                                              std::vector<std::string> *warnings) {
  auto made = std::make_unique<Serialized>(); // the rope points into it
  Model sorted = model;
  EDGEC_CHECK(proto::count_windows_by_floor(sorted.graph));
  EDGEC_CHECK(proto::spell(sorted.graph, options));
  EDGEC_CHECK(sorted.graph.sort());
  onnx::ModelProto proto;
  write_header(sorted, proto);
  std::vector<ByteView> blobs = proto::write_graph(sorted, *proto.mutable_graph(), weights, location);
  put_denotations(sorted, *proto.mutable_graph());
  EDGEC_CHECK(check(sorted, proto, warnings));
  const auto too_big =
      unsupported("without its weights in a file beside it, the model has more than 2 GB, which protobuf cannot write");
  if (proto.ByteSizeLong() > INT_MAX || !proto.SerializeToString(&made->message)) return too_big;
  const bool lowered = weights == proto::Weights::lowered;
  made->model =
      proto::lower_tensors(std::as_bytes(std::span(made->message)), lowered ? blobs : std::vector<ByteView>());
  if (made->model.size() > INT_MAX) return too_big;
  if (!lowered) made->external = std::move(blobs);
  made->owner = std::move(sorted.graph);
  return made;
}

/// More than protobuf takes, with room for the structure.
bool is_huge(const Graph &graph) {
  std::uint64_t bytes = 0;
  for (const ValueId id : graph.values())
    if (const Tensor *data = graph.constant(id)) bytes += data->data.size();
  return bytes > (std::uint64_t{1} << 31) - (std::uint64_t{1} << 26);
}

/// Error: the file holds weights that the model was read from.
Status keep_source(const Model &model, const std::filesystem::path &path) {
  std::error_code ignored;
  for (const std::string &source : model.source_weights)
    if (std::filesystem::equivalent(path, source, ignored))
      return usage_error(fmt::format("{}: holds weights of the input; an input is never overwritten, name another file",
                                     path.string()));
  return {};
}

} // namespace

Result<std::string> serialize_onnx(const Model &model, const OnnxWriteOptions &options,
                                   std::vector<std::string> *warnings) {
  EDGEC_ASSIGN(const auto made, serialize(model, options, proto::Weights::lowered, {}, warnings));
  return made->model.text();
}

Status write_onnx(const Model &model, const std::filesystem::path &path, const OnnxWriteOptions &options,
                  std::vector<std::string> *warnings) {
  const bool beside = options.external_data || is_huge(model.graph);
  if (beside && path == "-")
    return usage_error("a model with its weights in a file beside it cannot go to standard output");
  const auto data_path = weights_beside(path);
  EDGEC_CHECK(keep_source(model, path));
  if (beside) EDGEC_CHECK(keep_source(model, data_path));
  EDGEC_ASSIGN(const auto made, serialize(model, options, beside ? proto::Weights::external : proto::Weights::lowered,
                                          data_path.filename().string(), warnings)
                                    .in(path.string()));
  if (beside) EDGEC_CHECK(write_file(data_path, made->external, options.force));
  auto done = write_file(path, made->model.parts(), options.force);
  std::error_code ignored;
  if (!done && beside) std::filesystem::remove(data_path, ignored);
  return done;
}

} // namespace edgec
