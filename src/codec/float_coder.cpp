// A float is one of the last 16 new values, or a new one: sign, exponent, and a mantissa that is short (its first
// `kept` bits, the others 0) or full. Mantissas lie apart, as they are: modelling them gains nothing.
#include "codec/float_coder.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "codec/arithmetic.h"
#include "codec/varint.h"
#include "support/cancel.h"

namespace edgec {
namespace {

constexpr int mantissa_bits = 23;
constexpr std::size_t between_polls = std::size_t{1} << 18; ///< floats from one look for an interrupt to the next

/// Bits one after another, the first in the lowest bit of the first byte, a number's low bits first.
class BitWriter {
public:
  void put(std::uint32_t value, int count) {
    pending_ |= std::uint64_t{value} << filled_;
    for (filled_ += count; filled_ >= 8; filled_ -= 8, pending_ >>= 8)
      bytes_.push_back(static_cast<std::byte>(pending_ & 255));
  }
  std::vector<std::byte> finish() {
    if (filled_ > 0) bytes_.push_back(static_cast<std::byte>(pending_ & 255));
    return std::move(bytes_);
  }

private:
  std::uint64_t pending_ = 0;
  int filled_ = 0;
  std::vector<std::byte> bytes_;
};

class BitReader {
public:
  explicit BitReader(ByteView bytes) : bytes_(bytes) {}
  std::uint32_t get(int count) {
    for (; filled_ < count; filled_ += 8)
      pending_ |= (position_ < bytes_.size() ? std::to_integer<std::uint64_t>(bytes_[position_]) : 0) << filled_,
          ++position_;
    const auto value = static_cast<std::uint32_t>(pending_ & ((std::uint64_t{1} << count) - 1));
    pending_ >>= count;
    filled_ -= count;
    return value;
  }
  /// All bytes were read, those that are not there were not, and what fills the last one is 0.
  [[nodiscard]] bool at_end() const { return position_ == bytes_.size() && pending_ == 0; }

private:
  ByteView bytes_;
  std::size_t position_ = 0;
  std::uint64_t pending_ = 0;
  int filled_ = 0;
};

struct Model {
  AdaptiveBit seen[2], sign, is_short;
  BitTree<4> which;
  BitTree<8> exponent;
  std::array<std::uint32_t, 16> recent{};
  std::uint32_t next = 0, before = 0;

  /// All but the mantissa of a new value. Gives the place of a value seen before, or nothing.
  template <class Coder>
  std::optional<std::uint32_t> code_seen(Coder &coder, std::optional<std::uint32_t> place) {
    before = static_cast<std::uint32_t>(code_bit(coder, seen[before], place ? 1 : 0));
    if (before == 0) return std::nullopt;
    return which.code(coder, place.value_or(0));
  }
  void remember(std::uint32_t value) { recent[next++ % recent.size()] = value; }
};

/// The length of short mantissas that makes the whole shortest.
int choose_kept(std::span<const std::uint32_t> floats) {
  std::array<std::size_t, mantissa_bits + 1> needing{};
  for (const std::uint32_t value : floats) {
    const std::uint32_t mantissa = value & ((1U << mantissa_bits) - 1);
    ++needing[static_cast<std::size_t>(mantissa == 0 ? 0 : mantissa_bits - std::countr_zero(mantissa))];
  }
  int best = mantissa_bits;
  std::size_t covered = 0, least = floats.size() * mantissa_bits;
  for (int kept = 0; kept <= mantissa_bits; ++kept) {
    covered += needing[static_cast<std::size_t>(kept)];
    const std::size_t bits = covered * static_cast<std::size_t>(kept) + (floats.size() - covered) * mantissa_bits;
    if (bits < least) best = kept, least = bits;
  }
  return best;
}

} // namespace

std::vector<std::byte> encode_floats(std::span<const std::uint32_t> floats) {
  const int kept = choose_kept(floats);
  BitEncoder coder;
  BitWriter mantissas;
  Model model;
  for (std::size_t i = 0; i < floats.size(); ++i) {
    if (i % between_polls == 0 && interrupted()) return {};
    const std::uint32_t value = floats[i];
    const auto found = std::ranges::find(model.recent, value);
    std::optional<std::uint32_t> place;
    if (found != model.recent.end()) place = static_cast<std::uint32_t>(found - model.recent.begin());
    if (model.code_seen(coder, place)) continue;
    code_bit(coder, model.sign, static_cast<int>(value >> 31));
    model.exponent.code(coder, value >> mantissa_bits & 255);
    const std::uint32_t mantissa = value & ((1U << mantissa_bits) - 1);
    const int dropped = mantissa_bits - kept;
    const bool is_short = (mantissa >> dropped) << dropped == mantissa;
    code_bit(coder, model.is_short, is_short ? 1 : 0);
    is_short ? mantissas.put(mantissa >> dropped, kept) : mantissas.put(mantissa, mantissa_bits);
    model.remember(value);
  }
  const std::vector<std::byte> coded = coder.finish(), plain = mantissas.finish();
  std::vector<std::byte> stream;
  stream.reserve(coded.size() + plain.size() + 8);
  stream.push_back(static_cast<std::byte>(kept));
  put_varint(stream, coded.size());
  stream.insert(stream.end(), coded.begin(), coded.end());
  stream.insert(stream.end(), plain.begin(), plain.end());
  return stream;
}

Status decode_floats(ByteView stream, std::span<std::uint32_t> floats) {
  const auto damaged = [] { return bad_input("the coded floats are damaged: no such stream was ever written"); };
  if (stream.empty()) return damaged();
  const int kept = std::to_integer<int>(stream[0]);
  stream = stream.subspan(1);
  const auto coded = take_varint(stream);
  if (kept > mantissa_bits || !coded || *coded > stream.size()) return damaged();
  BitDecoder coder(stream.first(*coded));
  BitReader mantissas(stream.subspan(*coded));
  Model model;
  for (std::size_t i = 0; i < floats.size(); ++i) {
    if (i % between_polls == 0) EDGEC_CHECK(check_interrupted());
    std::uint32_t &value = floats[i];
    if (const auto place = model.code_seen(coder, std::nullopt)) {
      value = model.recent[*place];
      continue;
    }
    const auto sign = static_cast<std::uint32_t>(code_bit(coder, model.sign, 0));
    const std::uint32_t exponent = model.exponent.code(coder, 0);
    const bool is_short = code_bit(coder, model.is_short, 0) != 0;
    const std::uint32_t mantissa =
        is_short ? mantissas.get(kept) << (mantissa_bits - kept) : mantissas.get(mantissa_bits);
    value = sign << 31 | exponent << mantissa_bits | mantissa;
    model.remember(value);
  }
  if (!coder.at_end() || !mantissas.at_end()) return damaged();
  return {};
}

} // namespace edgec
