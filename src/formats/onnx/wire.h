// Serialized models without their big tensors: what is read stays in the mapped file, what is written is streamed from
// where it lies. A message never holds it. Internal to this room.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/storage.h"

namespace edgec::proto {

/// Tensors of more raw bytes than this stay out of messages: initializers and Constant nodes of the main graph.
inline constexpr std::size_t big_bytes = 65536;

/// In a message without its big tensors, the `location` of external data that lies in the model's own file. A file that
/// says so itself gets no more than its own bytes.
inline constexpr std::string_view own_file = "\x01own file";

/// Bytes made of pieces.
class Rope {
public:
  struct Piece {
    std::string text; ///< own bytes, or
    ByteView bytes;   ///< bytes that lie elsewhere
  };
  void add(std::string_view text);
  void add(ByteView bytes);
  void add(Rope rope);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::vector<ByteView> parts() const;
  [[nodiscard]] std::string text() const;

private:
  std::vector<Piece> pieces_;
  std::uint64_t size_ = 0;
};

/// The serialized model without big raw data: each tensor that had some says its offset and length in `model`, as
/// external data in own_file. Nothing: nothing is that big, or the bytes are not a message (the parser will say why).
std::optional<std::string> lift_tensors(ByteView model);

/// The opposite: `model` is a serialized message whose tensors in own_file have the index of a blob as their offset.
Rope lower_tensors(ByteView model, const std::vector<ByteView> &blobs);

} // namespace edgec::proto
