// Files to models: what kind of file it is, which operator sets it speaks, then its graph.
#include <fmt/format.h>

#include "formats/onnx/prepare.h"
#include "formats/onnx/reader.h"
#include "formats/onnx/skeleton.h"
#include "formats/onnx/tensor_proto.h"
#include "formats/onnx/wire.h"
#include "support/file.h"

namespace edgec {
namespace {

/// The operator sets by domain. A file without any speaks opset 1 if its IR version is older than 3 (ONNX IR.md).
Status read_opsets(const onnx::ModelProto &proto, Opsets &opsets) {
  if (proto.opset_import_size() == 0) {
    if (proto.ir_version() < 1 || proto.ir_version() >= 3)
      return bad_input(fmt::format("the model does not say which operator set it uses (no opset_import; IR version {})",
                                   proto.ir_version()));
    opsets.emplace("", 1);
  }
  for (const auto &import : proto.opset_import()) {
    const std::string domain = proto::domain_name(import.domain());
    const auto [entry, fresh] = opsets.emplace(domain, import.version());
    if (!fresh && entry->second != import.version())
      return bad_input(fmt::format("operator set \"{}\" is imported in versions {} and {}", domain, entry->second,
                                   import.version()));
  }
  const auto own = opsets.find("");
  if (own != opsets.end() && own->second < 1)
    return bad_input(fmt::format("the model imports the impossible opset {}", own->second));
  if (own != opsets.end() && own->second > proto::newest_opset)
    return unsupported(fmt::format("the model's opset {} is newer than {}, the newest that edgec knows", own->second,
                                   proto::newest_opset));
  return {};
}

Result<Model> read_model(onnx::ModelProto &proto, const OnnxReadOptions &options, proto::ExternalData &external) {
  if (!proto.has_graph()) return bad_input("it is not an ONNX model: it has no graph");
  Model model;
  model.ir_version = proto.ir_version();
  model.producer_name = proto.producer_name();
  model.producer_version = proto.producer_version();
  model.domain = proto.domain();
  model.doc = proto.doc_string();
  model.model_version = proto.model_version();
  model.metadata = proto::read_metadata(proto);
  if (proto.training_info_size() > 0) model.notes.push_back("training information was dropped");
  EDGEC_CHECK(read_opsets(proto, model.graph.opsets));
  EDGEC_CHECK(proto::load_small_external(*proto.mutable_graph(), external));
  EDGEC_CHECK(proto::check_equations(proto));
  model.source_failure = proto::check_failure(proto);
  proto::repair(*proto.mutable_graph(), model.notes);
  EDGEC_CHECK(proto::inline_functions(proto, model.notes));
  const std::int64_t opset = model.graph.opset();
  const bool old = opset > 0 && opset < proto::oldest_opset;
  if (old && model.source_failure.empty()) proto::infer_shapes(proto);
  for (const auto *list : {&proto.graph().input(), &proto.graph().output()})
    for (const auto &info : *list)
      if (proto::has_denotation(info.type())) model.denotations[info.name()] = info.type().SerializeAsString();
  EDGEC_CHECK(proto::read_graph(*proto.mutable_graph(), options, external, model));
  if (old) EDGEC_CHECK(convert_opset(model, proto::oldest_opset, nullptr));
  return model;
}

/// Takes the bytes, so that they can go once they are read.
Result<Model> parse(Storage bytes, const std::filesystem::path &folder, const OnnxReadOptions &options) {
  if (const std::string other = proto::recognise(bytes.bytes()); !other.empty()) return bad_input("it is " + other);
  onnx::ModelProto proto;
  const auto skeleton = proto::lift_tensors(bytes.bytes());
  EDGEC_CHECK(proto::parse_message(skeleton ? std::as_bytes(std::span(*skeleton)) : bytes.bytes(), proto));
  const std::string digest = sha256(bytes);
  const std::uint64_t size = bytes.size();
  proto::ExternalData external(folder, skeleton ? std::move(bytes) : Storage(), options.known);
  bytes = {};
  EDGEC_ASSIGN(Model model, read_model(proto, options, external));
  model.source_sha256 = digest;
  model.source_bytes = size + external.total_bytes();
  model.source_weights = external.paths();
  return model;
}

} // namespace

Result<Model> parse_onnx(const Storage &bytes, const std::filesystem::path &folder, const OnnxReadOptions &options) {
  return parse(bytes, folder, options);
}

Result<Model> read_onnx(const std::filesystem::path &path, const OnnxReadOptions &options) {
  EDGEC_ASSIGN(Storage bytes, read_file(path));
  return parse(std::move(bytes), path.parent_path(), options).in(path == "-" ? "standard input" : path.string());
}

} // namespace edgec
