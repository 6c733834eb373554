// Between protobuf messages and the IR: tensors, types, attributes. Internal to this room.
#pragma once

#include <onnx/onnx_pb.h>

#include <filesystem>
#include <map>
#include <string>

#include "ir/graph.h"
#include "support/result.h"

namespace edgec::proto {

/// Files beside a model that hold its tensors' bytes; each is opened once, beneath the model's folder only. `own` is
/// the model's file, for tensors that were lifted out of its message (wire.h). What equals one of `known` shares its
/// bytes.
class ExternalData {
public:
  explicit ExternalData(std::filesystem::path folder, Storage own = {}, const std::vector<Storage> *known = nullptr);
  /// The bytes a tensor's external_data entries speak of; `size` is what its dtype and dims ask for.
  Result<Storage> bytes(const onnx::TensorProto &tensor, std::size_t size);
  /// Bytes of all files opened so far.
  [[nodiscard]] std::uint64_t total_bytes() const;
  /// Their paths.
  [[nodiscard]] std::vector<std::string> paths() const;

private:
  std::filesystem::path folder_;
  Storage own_;
  std::map<std::string, Storage> files_;
  std::multimap<std::size_t, Storage> known_; // by size

  Result<const Storage *> file(const std::string &location);
};

/// Takes a tensor's bytes out of its message (no copy of raw data). Without `external`, external data is an error.
/// Errors: negative or overflowing dims, both raw and typed data, a size that disagrees with the dims.
Result<Tensor> take_tensor(onnx::TensorProto &tensor, ExternalData *external);
/// A dense tensor from coordinate form; indices are checked (ONNX SparseTensorProto).
Result<Tensor> take_sparse_tensor(onnx::SparseTensorProto &sparse, ExternalData *external);
void put_tensor(const Tensor &tensor, onnx::TensorProto &proto);

Result<Type> read_type(const onnx::TypeProto &proto);
void put_type(const Type &type, onnx::TypeProto &proto);
/// Whether a type or one of its dims says what it is for (ONNX docs/TypeDenotation.md, DimensionDenotation.md).
bool has_denotation(const onnx::TypeProto &proto);
/// Says the same of another type, of its dims where there are as many.
void copy_denotation(const onnx::TypeProto &from, onnx::TypeProto &to);

/// Adds an entry with the fields of a message that its description does not know, if it has some.
void keep_unknown_fields(const google::protobuf::Message &message, Metadata &metadata);
/// Whether the entry is one of these: then the message gets the fields back.
bool put_unknown_fields(const std::pair<std::string, std::string> &entry, google::protobuf::Message &message);

/// The metadata_props of a message, and its unknown fields.
template <class Proto>
Metadata read_metadata(const Proto &proto) {
  Metadata metadata;
  for (const auto &entry : proto.metadata_props()) metadata.emplace_back(entry.key(), entry.value());
  keep_unknown_fields(proto, metadata);
  return metadata;
}

template <class Proto>
void put_metadata(const Metadata &metadata, Proto &proto) {
  for (const auto &entry : metadata) {
    if (put_unknown_fields(entry, proto)) continue;
    auto *made = proto.add_metadata_props();
    made->set_key(entry.first);
    made->set_value(entry.second);
  }
}

/// The attribute's kind, guessed from its content where an old file leaves it out.
onnx::AttributeProto::AttributeType attribute_type(const onnx::AttributeProto &attribute);
/// Any attribute but those that hold graphs.
Result<AttributeValue> read_attribute(onnx::AttributeProto &attribute, ExternalData *external);
/// Any attribute but those that hold graphs: false for these.
bool put_attribute(const Attribute &attribute, onnx::AttributeProto &proto);

/// What a file that is not an ONNX model is, in words ("an HTML page"); empty where nothing is recognised.
std::string recognise(ByteView bytes);
/// Parses a serialized message strictly: errors say truncated, too deep or damaged.
Status parse_message(ByteView bytes, google::protobuf::Message &message);

inline std::string domain_name(const std::string &domain) { return domain == "ai.onnx" ? std::string() : domain; }

} // namespace edgec::proto
