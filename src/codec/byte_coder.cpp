#include "codec/byte_coder.h"

#include <bit>

#include "codec/mixing.h"

namespace edgec {
namespace {

constexpr int sets = 8;

/// Models of a byte's bits, chosen by the bytes before it: the last one, two, ... six, and others near them.
class Model {
public:
  explicit Model(std::size_t size) : bits_(std::min(18, static_cast<int>(std::bit_width(size)) + 4)) {
    for (auto &table : tables_) table.resize(std::size_t{1} << bits_);
    remember(0);
  }

  template <class Coder>
  int code(Coder &coder, int byte) {
    std::uint32_t node = 1;
    for (int i = 7; i >= 0; --i) {
      std::array<AdaptiveBit *, sets> votes;
      std::size_t known = 0; // of the orders, the longest that was met before
      for (std::size_t s = 0; s < sets; ++s) {
        votes[s] = &tables_[s][slot(contexts_[s] + node * 0x9e3779b1U)];
        if (s < orders && !votes[s]->is_fresh()) known = s;
      }
      node = (node << 1) | static_cast<std::uint32_t>(mixers_[known].code(coder, votes, byte >> i & 1));
    }
    node &= 255;
    remember(node);
    return static_cast<int>(node);
  }

private:
  static constexpr std::size_t orders = 6;
  int bits_;
  std::array<std::vector<AdaptiveBit>, sets> tables_;
  std::array<Mixer<sets, 19661, 10>, orders> mixers_;
  std::array<std::uint32_t, sets> contexts_{};
  std::uint64_t last_ = 0; ///< the last eight bytes, the newest lowest

  [[nodiscard]] std::size_t slot(std::uint32_t hash) const { return (hash * 0x85ebca6bU) >> (32 - bits_); }

  void remember(std::uint32_t byte) {
    last_ = last_ << 8 | byte;
    const auto mix = [](std::uint32_t set, std::uint64_t what) {
      return static_cast<std::uint32_t>((what + 1) * 0x9e3779b97f4a7c15ULL >> 32) + set * 0x7feb352dU;
    };
    contexts_ = {mix(0, 0),
                 mix(1, last_ & 0xff),
                 mix(2, last_ & 0xffff),
                 mix(3, last_ & 0xffffff),
                 mix(4, last_ & 0xffffffff),
                 mix(5, last_ & 0xffffffffffff),
                 mix(6, last_ & 0xff00),
                 mix(7, last_ & 0xffff00)};
  }
};

} // namespace

std::vector<std::byte> encode_bytes(ByteView bytes) {
  BitEncoder coder;
  Model model(bytes.size());
  for (const std::byte byte : bytes) model.code(coder, std::to_integer<int>(byte));
  return coder.finish();
}

Status decode_bytes(ByteView stream, std::span<std::byte> bytes) {
  BitDecoder coder(stream);
  Model model(bytes.size());
  for (std::byte &byte : bytes) byte = static_cast<std::byte>(model.code(coder, 0));
  if (!coder.at_end()) return bad_input("the coded bytes end at another place than their stream");
  return {};
}

} // namespace edgec
