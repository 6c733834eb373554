// From bytes to a protobuf message, and in words what bytes are that are none.
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <climits>
#include <fmt/format.h>
#include <string_view>

#include "formats/onnx/proto.h"

namespace edgec::proto {
namespace {

std::string_view text_of(ByteView bytes, std::size_t limit) {
  return {reinterpret_cast<const char *>(bytes.data()), std::min(bytes.size(), limit)};
}

/// Says where a message's top level breaks off, if that is what is wrong with it.
std::string truncation(ByteView bytes) {
  google::protobuf::io::CodedInputStream stream(reinterpret_cast<const std::uint8_t *>(bytes.data()),
                                                static_cast<int>(bytes.size()));
  while (const std::uint32_t tag = stream.ReadTag()) {
    std::uint32_t length = 0;
    std::uint64_t number = 0;
    const int left = static_cast<int>(bytes.size()) - stream.CurrentPosition();
    switch (tag & 7U) {
    case 0:
      if (!stream.ReadVarint64(&number)) return "it breaks off within a number";
      break;
    case 1:
    case 5: {
      const int width = (tag & 7U) == 1 ? 8 : 4;
      if (left < width) return "it breaks off within a number";
      stream.Skip(width);
      break;
    }
    case 2:
      if (!stream.ReadVarint32(&length)) return "it breaks off within a length";
      if (length > static_cast<std::uint32_t>(bytes.size()) - static_cast<std::uint32_t>(stream.CurrentPosition()))
        return fmt::format("it is truncated: a part of {} bytes is announced and {} are left", length,
                           static_cast<int>(bytes.size()) - stream.CurrentPosition());
      stream.Skip(static_cast<int>(length));
      break;
    default: return {};
    }
  }
  return {};
}

} // namespace

std::string recognise(ByteView bytes) {
  const std::string_view head = text_of(bytes, 512);
  const auto starts = [&](std::string_view magic) { return head.starts_with(magic); };
  if (starts("version https://git-lfs.github.com/spec/"))
    return "a Git LFS pointer, not the file itself: fetch it with `git lfs pull`";
  if (starts("PK\x03\x04")) return "a zip archive (PyTorch and .npz files are zip archives, too)";
  if (head.size() >= 8 && head.substr(4, 4) == "TFL3") return "a TensorFlow Lite model";
  if (starts("\x1f\x8b")) return "a gzip archive";
  if (starts("\x89HDF\r\n")) return "an HDF5 file (Keras?)";
  if (starts("\xff\xd8\xff")) return "a JPEG image";
  if (starts("\x89PNG\r\n")) return "a PNG image";
  if (starts("GIF8")) return "a GIF image";
  if (starts("%PDF-")) return "a PDF document";
  if (starts("\x93NUMPY")) return "a numpy array (.npy)";
  if (starts("EDGEC")) return "a flat .edgec file";
  if (head.size() >= 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5) return "a Python pickle";
  std::string lower(head.substr(std::min(head.find_first_not_of(" \t\r\n\xef\xbb\xbf"), head.size())));
  std::ranges::transform(lower, lower.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (lower.starts_with("<!doctype html") || lower.starts_with("<html") || lower.starts_with("<head"))
    return "an HTML page: the download went wrong";
  if (lower.starts_with("<?xml")) return "an XML file";
  if (lower.starts_with('{') || lower.starts_with('[')) return "a JSON file";
  const bool printable =
      std::ranges::all_of(head, [](char c) { return (c >= ' ' && c < 0x7f) || c == '\t' || c == '\r' || c == '\n'; });
  if (printable && !head.empty()) return "a text file";
  return {};
}

Status parse_message(ByteView bytes, google::protobuf::Message &message) {
  if (bytes.empty()) return bad_input("the file is empty");
  if (bytes.size() > INT_MAX)
    return unsupported(fmt::format(
        "the file has {} bytes; protobuf ends at 2 GB: weights beyond it belong in external data", bytes.size()));
  google::protobuf::io::ArrayInputStream input(bytes.data(), static_cast<int>(bytes.size()));
  google::protobuf::io::CodedInputStream stream(&input);
  stream.SetTotalBytesLimit(INT_MAX);
  stream.SetRecursionLimit(200); // a sub-graph takes three levels
  if (message.ParseFromCodedStream(&stream) && stream.ConsumedEntireMessage()) return {};
  const std::string broken = truncation(bytes);
  if (!broken.empty()) return bad_input(broken);
  return bad_input("it cannot be parsed as ONNX: damaged, nested too deeply, or another kind of file");
}

} // namespace edgec::proto
