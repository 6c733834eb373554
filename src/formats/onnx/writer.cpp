// Models to files: as low an opset and IR version as the content allows, checked before anything is written.
#include <fmt/format.h>

#include <algorithm>

#include "formats/onnx/graph_writer.h"
#include "formats/onnx/onnx.h"
#include "formats/onnx/skeleton.h"
#include "formats/onnx/spelling.h"
#include "support/file.h"

namespace edgec {
namespace {

void write_header(const Model &model, onnx::ModelProto &proto) {
  proto::put_opsets(model.graph.opsets, proto);
  const auto graph_values = model.graph.values();
  const bool constants = std::ranges::any_of(graph_values, [&](ValueId id) { return model.graph.value(id).data.has_value(); });
  // Before version 4, initializers had to be graph inputs.
  proto.set_ir_version(std::max({model.ir_version, proto::ir_version_for(proto), std::int64_t{constants ? 4 : 3}}));
  if (!model.producer_name.empty()) proto.set_producer_name(model.producer_name);
  if (!model.producer_version.empty()) proto.set_producer_version(model.producer_version);
  if (!model.domain.empty()) proto.set_domain(model.domain);
  if (!model.doc.empty()) proto.set_doc_string(model.doc);
  if (model.model_version != 0) proto.set_model_version(model.model_version);
  proto::put_metadata(model.metadata, proto.mutable_metadata_props());
}

Status check(const Model &model, onnx::ModelProto &proto, std::vector<std::string> *warnings) {
  const std::string failure = proto::check_failure(proto);
  if (failure.empty()) return {};
  if (model.source_failure.empty())
    return internal_error(fmt::format("ONNX's checker refuses the model that would be written: {}", failure));
  if (warnings) warnings->push_back(fmt::format("ONNX's checker refuses the model, as it did the input: {}", failure));
  return {};
}

} // namespace

Result<std::string> serialize_onnx(const Model &model, const OnnxWriteOptions &options,
                                   std::vector<std::string> *warnings) {
  Model sorted = model;
  EDGEC_CHECK(proto::spell(sorted.graph, options));
  EDGEC_CHECK(sorted.graph.sort());
  onnx::ModelProto proto;
  write_header(sorted, proto);
  proto::write_graph(sorted, *proto.mutable_graph());
  EDGEC_CHECK(check(sorted, proto, warnings));
  std::string bytes;
  if (!proto.SerializeToString(&bytes)) return unsupported("the model is larger than 2 GB, which protobuf cannot write");
  return bytes;
}

Status write_onnx(const Model &model, const std::filesystem::path &path, const OnnxWriteOptions &options,
                  std::vector<std::string> *warnings) {
  EDGEC_ASSIGN(const std::string bytes, serialize_onnx(model, options, warnings).in(path.string()));
  const ByteView part = std::as_bytes(std::span(bytes));
  return write_file(path, std::span(&part, 1), options.force);
}

} // namespace edgec
