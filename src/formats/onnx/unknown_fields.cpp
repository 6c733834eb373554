// Fields of messages that this version of ONNX does not know: what a later version or somebody's extension wrote. They
// travel as an entry of the metadata that the IR keeps of models, graphs, nodes, values and constants, and are fields
// again in the file that is written.
#include <google/protobuf/unknown_field_set.h>

#include "formats/onnx/proto.h"

namespace edgec::proto {
namespace {

constexpr std::string_view key = "protobuf.unknown_fields"; // its value is hexadecimal: metadata is text
constexpr std::string_view digits = "0123456789abcdef";

std::string to_hex(std::string_view bytes) {
  std::string text;
  for (const char c : bytes) {
    text += digits[static_cast<unsigned char>(c) >> 4U];
    text += digits[static_cast<unsigned char>(c) & 15U];
  }
  return text;
}

std::optional<std::string> from_hex(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const auto high = digits.find(text[i]), low = digits.find(text[i + 1]);
    if (high == digits.npos || low == digits.npos) return std::nullopt;
    bytes += static_cast<char>(high << 4U | low);
  }
  return bytes;
}

} // namespace

void keep_unknown_fields(const google::protobuf::Message &message, Metadata &metadata) {
  const auto &fields = message.GetReflection()->GetUnknownFields(message);
  std::string bytes;
  if (fields.empty() || !fields.SerializeToString(&bytes)) return;
  metadata.emplace_back(key, to_hex(bytes));
}

bool put_unknown_fields(const std::pair<std::string, std::string> &entry, google::protobuf::Message &message) {
  const auto bytes = entry.first == key ? from_hex(entry.second) : std::nullopt;
  google::protobuf::UnknownFieldSet fields;
  if (!bytes || !fields.ParseFromString(*bytes)) return false;
  for (int i = 0; i < fields.field_count(); ++i) // a file may claim so of fields that are known
    if (message.GetDescriptor()->FindFieldByNumber(fields.field(i).number())) return false;
  message.GetReflection()->MutableUnknownFields(&message)->MergeFrom(fields);
  return true;
}

} // namespace edgec::proto
