// Protobuf's wire format (protobuf.dev/programming-guides/encoding), as far as the way to tensors' raw data.
#include "formats/onnx/wire.h"

#include <onnx/onnx_pb.h>

#include <charconv>

namespace edgec::proto {
namespace {

/// One field of a message: [begin, end) with its tag, its content behind `content`.
struct Field {
  std::uint32_t number = 0;
  std::uint32_t wire = 0;
  std::size_t begin = 0, content = 0, end = 0;
};

bool read_varint(ByteView in, std::size_t &at, std::uint64_t &value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && at < in.size(); shift += 7) {
    const auto byte = std::to_integer<std::uint64_t>(in[at++]);
    value |= (byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

/// The end of a group (an old kind of nested message) whose content begins at `at`; false: the message is damaged.
bool skip_group(ByteView in, std::size_t &at) {
  for (int depth = 1; depth > 0;) {
    std::uint64_t tag = 0, length = 0;
    if (!read_varint(in, at, tag)) return false;
    switch (tag & 7U) {
    case 0:
      if (!read_varint(in, at, tag)) return false;
      break;
    case 1: length = 8; break;
    case 2:
      if (!read_varint(in, at, length)) return false;
      break;
    case 3: ++depth; break;
    case 4: --depth; break;
    case 5: length = 4; break;
    default: return false;
    }
    if (length > in.size() - at) return false;
    at += static_cast<std::size_t>(length);
  }
  return true;
}

/// The field that begins at field.end; false at the end of the message and where it is damaged.
bool next_field(ByteView in, Field &field) {
  std::size_t at = field.begin = field.end;
  std::uint64_t tag = 0, length = 0;
  if (!read_varint(in, at, tag) || tag > UINT32_MAX || tag < 8) return false;
  field.number = static_cast<std::uint32_t>(tag >> 3U);
  field.wire = static_cast<std::uint32_t>(tag & 7U);
  switch (field.wire) {
  case 0:
    field.content = at;
    if (!read_varint(in, at, length)) return false;
    length = 0;
    break;
  case 1: length = 8; break;
  case 2:
    if (!read_varint(in, at, length)) return false;
    break;
  case 3:
    field.content = at;
    if (!skip_group(in, at)) return false;
    break;
  case 5: length = 4; break;
  default: return false;
  }
  if (length > in.size() - at) return false;
  if (field.wire != 0 && field.wire != 3) field.content = at;
  field.end = at + static_cast<std::size_t>(length);
  return true;
}

std::string varint(std::uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7U) text += static_cast<char>((value & 0x7F) | 0x80);
  return text + static_cast<char>(value);
}

/// Tag and length of a field that holds bytes.
std::string head(std::uint32_t number, std::uint64_t length) {
  return varint((std::uint64_t{number} << 3U) | 2U) + varint(length);
}

std::string_view text_of(ByteView bytes) { return {reinterpret_cast<const char *>(bytes.data()), bytes.size()}; }
ByteView content(ByteView in, const Field &field) { return in.subspan(field.content, field.end - field.content); }

/// Messages on the way to tensors.
enum class Level { model, graph, node, attribute, tensor };

/// Which message a field holds, if it is on that way.
std::optional<Level> below(Level level, std::uint32_t field) {
  using namespace onnx;
  if (level == Level::model && field == ModelProto::kGraphFieldNumber) return Level::graph;
  if (level == Level::graph && field == GraphProto::kInitializerFieldNumber) return Level::tensor;
  if (level == Level::graph && field == GraphProto::kNodeFieldNumber) return Level::node;
  if (level == Level::node && field == NodeProto::kAttributeFieldNumber) return Level::attribute;
  if (level == Level::attribute && field == AttributeProto::kTFieldNumber) return Level::tensor;
  return std::nullopt;
}

/// Writes a message again, tensors as `change` says.
class Rewriter {
public:
  virtual ~Rewriter() = default;
  /// Nothing: the message is damaged.
  std::optional<Rope> message(ByteView in, Level level) {
    Rope out;
    if (level == Level::node && !is_constant(in)) return out.add(text_of(in)), out;
    Field field;
    while (next_field(in, field)) {
      const ByteView inner = content(in, field);
      const auto next = field.wire == 2 ? below(level, field.number) : std::nullopt;
      if (!next || !worth_while(inner, *next)) {
        out.add(text_of(in.subspan(field.begin, field.end - field.begin)));
        continue;
      }
      auto made = *next == Level::tensor ? tensor(inner) : message(inner, *next);
      if (!made) return std::nullopt;
      out.add(head(field.number, made->size()));
      out.add(std::move(*made));
    }
    if (field.end != in.size()) return std::nullopt;
    return out;
  }

protected:
  virtual bool worth_while(ByteView in, Level level) = 0;
  virtual std::optional<Rope> tensor(ByteView in) = 0;

private:
  static bool is_constant(ByteView in) {
    Field field;
    while (next_field(in, field))
      if (field.number == onnx::NodeProto::kOpTypeFieldNumber && field.wire == 2)
        return text_of(content(in, field)) == "Constant";
    return false;
  }
};

void add_entry(onnx::TensorProto &tensor, const char *key, std::string value) {
  auto &entry = *tensor.add_external_data();
  entry.set_key(key);
  entry.set_value(std::move(value));
}

class Lifter final : public Rewriter {
public:
  explicit Lifter(ByteView model) : model_(model) {}
  bool lifted = false;

protected:
  bool worth_while(ByteView in, Level) override { return in.size() > big_bytes; }

  std::optional<Rope> tensor(ByteView in) override {
    Rope rest;
    Field field, raw;
    int raws = 0;
    bool outside = false;
    while (next_field(in, field)) {
      outside |= field.number == onnx::TensorProto::kExternalDataFieldNumber ||
                 field.number == onnx::TensorProto::kDataLocationFieldNumber;
      if (field.number != onnx::TensorProto::kRawDataFieldNumber || field.wire != 2) {
        rest.add(text_of(in.subspan(field.begin, field.end - field.begin)));
        continue;
      }
      raw = field;
      ++raws;
    }
    if (field.end != in.size()) return std::nullopt;
    if (raws != 1 || outside ||
        raw.end - raw.content <= big_bytes) { // as it is: read_tensor says what is wrong with it
      Rope same;
      same.add(text_of(in));
      return same;
    }
    onnx::TensorProto where;
    where.set_data_location(onnx::TensorProto::EXTERNAL);
    add_entry(where, "location", std::string(own_file));
    add_entry(where, "offset", std::to_string(static_cast<std::size_t>(in.data() - model_.data()) + raw.content));
    add_entry(where, "length", std::to_string(raw.end - raw.content));
    rest.add(where.SerializeAsString());
    lifted = true;
    return rest;
  }

private:
  ByteView model_;
};

class Lowerer final : public Rewriter {
public:
  explicit Lowerer(const std::vector<ByteView> &blobs) : blobs_(blobs) {}

protected:
  bool worth_while(ByteView in, Level level) override {
    return level != Level::tensor || text_of(in).find(own_file) != std::string_view::npos;
  }

  std::optional<Rope> tensor(ByteView in) override {
    onnx::TensorProto proto;
    std::size_t index = blobs_.size();
    if (!proto.ParseFromArray(in.data(), static_cast<int>(in.size()))) return std::nullopt;
    bool own = false;
    for (const auto &entry : proto.external_data()) {
      own |= entry.key() == "location" && entry.value() == own_file;
      if (entry.key() == "offset")
        std::from_chars(entry.value().data(), entry.value().data() + entry.value().size(), index);
    }
    Rope out;
    if (!own || index >= blobs_.size()) return out.add(text_of(in)), out;
    proto.clear_external_data();
    proto.clear_data_location();
    const std::string text = proto.SerializeAsString();
    const ByteView rest = std::as_bytes(std::span(text));
    Field field; // raw data stands where protobuf puts it, by its number
    std::size_t place = 0;
    while (next_field(rest, field) && field.number < onnx::TensorProto::kRawDataFieldNumber) place = field.end;
    out.add(std::string_view(text).substr(0, place));
    out.add(head(onnx::TensorProto::kRawDataFieldNumber, blobs_[index].size()));
    out.add(blobs_[index]);
    out.add(std::string_view(text).substr(place));
    return out;
  }

private:
  const std::vector<ByteView> &blobs_;
};

} // namespace

void Rope::add(std::string_view text) {
  if (pieces_.empty() || !pieces_.back().bytes.empty()) pieces_.emplace_back();
  pieces_.back().text += text;
  size_ += text.size();
}

void Rope::add(ByteView bytes) {
  if (bytes.empty()) return;
  pieces_.push_back({{}, bytes});
  size_ += bytes.size();
}

void Rope::add(Rope rope) {
  for (Piece &piece : rope.pieces_) {
    if (piece.bytes.empty())
      add(std::string_view(piece.text));
    else
      add(piece.bytes);
  }
}

std::vector<ByteView> Rope::parts() const {
  std::vector<ByteView> parts;
  for (const Piece &piece : pieces_)
    parts.push_back(piece.bytes.empty() ? std::as_bytes(std::span(piece.text)) : piece.bytes);
  return parts;
}

std::string Rope::text() const {
  std::string all;
  all.reserve(size_);
  for (const ByteView part : parts()) all += text_of(part);
  return all;
}

std::optional<std::string> lift_tensors(ByteView model) {
  if (model.size() <= big_bytes) return std::nullopt;
  Lifter lifter(model);
  const auto lifted = lifter.message(model, Level::model);
  if (!lifted || !lifter.lifted) return std::nullopt;
  return lifted->text();
}

Rope lower_tensors(ByteView model, const std::vector<ByteView> &blobs) {
  auto lowered = blobs.empty() ? std::nullopt : Lowerer(blobs).message(model, Level::model);
  if (lowered) return *std::move(lowered);
  Rope same;
  same.add(model);
  return same;
}

} // namespace edgec::proto
