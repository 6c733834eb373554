// Binary arithmetic coding with adaptive integer probabilities: what side information, floats, sparse codes and the
// graph are coded with. Integers only, so that every machine reads the same (FORMAT.md, "Bits").
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "support/storage.h"

namespace edgec {

/// Writes bits, each with the probability (in 1/65536, 1..65535) that it is 1.
class BitEncoder {
public:
  int code(int bit, std::uint32_t probability) {
    const std::uint32_t middle = low_ + static_cast<std::uint32_t>((std::uint64_t{high_ - low_} * probability) >> 16);
    bit != 0 ? high_ = middle : low_ = middle + 1;
    while (((low_ ^ high_) >> 24) == 0) {
      bytes_.push_back(static_cast<std::byte>(high_ >> 24));
      low_ <<= 8;
      high_ = (high_ << 8) | 0xff;
    }
    return bit;
  }
  /// The whole stream: as few bytes as tell the last interval, those behind them being taken as 0.
  std::vector<std::byte> finish() {
    for (int count = 0; count <= 4; ++count) {
      const auto mask = count == 4 ? 0 : UINT32_MAX >> (8 * count);
      const std::uint64_t value = (std::uint64_t{low_} + mask) & ~std::uint64_t{mask};
      if (value > high_) continue;
      for (int i = 0; i < count; ++i) bytes_.push_back(static_cast<std::byte>(value >> (24 - 8 * i)));
      break;
    }
    return std::move(bytes_);
  }

private:
  std::uint32_t low_ = 0, high_ = UINT32_MAX;
  std::vector<std::byte> bytes_;
};

/// Reads them back. Any bytes may be fed to it: it never reads beyond them.
class BitDecoder {
public:
  explicit BitDecoder(ByteView bytes) : bytes_(bytes) {
    for (int i = 0; i < 4; ++i) value_ = (value_ << 8) | next();
  }
  int code(int /*bit*/, std::uint32_t probability) {
    const std::uint32_t middle = low_ + static_cast<std::uint32_t>((std::uint64_t{high_ - low_} * probability) >> 16);
    const bool bit = value_ <= middle;
    bit ? high_ = middle : low_ = middle + 1;
    while (((low_ ^ high_) >> 24) == 0) {
      low_ <<= 8;
      high_ = (high_ << 8) | 0xff;
      value_ = (value_ << 8) | next();
    }
    return bit ? 1 : 0;
  }
  /// Whether an encoder that wrote what was read would have written just these bytes.
  [[nodiscard]] bool at_end() const { return position_ >= bytes_.size() && position_ <= bytes_.size() + 4; }
  /// Whether more was read than any encoder writes: the rest would be made up.
  [[nodiscard]] bool overrun() const { return position_ > bytes_.size() + 4; }

private:
  ByteView bytes_;
  std::size_t position_ = 0;
  std::uint32_t low_ = 0, high_ = UINT32_MAX, value_ = 0;

  std::uint32_t next() {
    const std::size_t at = position_++;
    return at < bytes_.size() ? std::to_integer<std::uint32_t>(bytes_[at]) : 0;
  }
};

/// Takes the same calls as an encoder and only adds up, in bits, what they would cost.
class BitCounter {
public:
  int code(int bit, std::uint32_t probability);
  [[nodiscard]] double bits() const { return bits_; }

private:
  double bits_ = 0;
};

/// The probability of a 1 as seen so far: 22 bits of it, and how often it was used (10 bits), which sets the rate of
/// learning from 1 / 1.6 down to 1 / 256.6.
class AdaptiveBit {
public:
  /// In 1/65536, never 0 or 1.
  [[nodiscard]] std::uint32_t probability() const { return state_ >> 16; }
  [[nodiscard]] std::uint32_t fine() const { return state_ >> 20; }    ///< in 1/4096
  [[nodiscard]] bool is_fresh() const { return (state_ & 1023) == 0; } ///< never used
  void update(int bit) {
    const std::uint32_t count = state_ & 1023;
    const std::uint64_t p = state_ >> 10, rate = rates[count];
    const std::uint64_t moved = bit != 0 ? p + (((4194303 - p) * rate) >> 16) : p - ((p * rate) >> 16);
    state_ = static_cast<std::uint32_t>(moved << 10) | (count < 255 ? count + 1 : count);
  }
  /// Keeps what was learnt, but learns anew at the rate of the `count`-th use at least.
  void soften(std::uint32_t count) { state_ = (state_ & ~1023U) | std::min(state_ & 1023U, count); }

private:
  static constexpr std::array<std::uint32_t, 256> rates = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t n = 0; n < 256; ++n) table[n] = 655360 / (10 * n + 16);
    return table;
  }();
  std::uint32_t state_ = 1U << 31; // one half, never used
};

/// One bit with its own adaptive probability. `Coder`: BitEncoder, BitDecoder (`bit` is ignored) or BitCounter.
template <class Coder>
int code_bit(Coder &coder, AdaptiveBit &model, int bit) {
  const int coded = coder.code(bit, model.probability());
  model.update(coded);
  return coded;
}

/// The low `count` bits of value as they are, the highest first.
template <class Coder>
std::uint32_t code_raw(Coder &coder, int count, std::uint32_t value) {
  std::uint32_t coded = 0;
  for (int i = count - 1; i >= 0; --i)
    coded = (coded << 1) | static_cast<std::uint32_t>(coder.code(static_cast<int>(value >> i & 1), 32768));
  return coded;
}

/// A number of Bits bits, the highest first, each bit's model chosen by the bits before it.
template <int Bits>
struct BitTree {
  std::array<AdaptiveBit, std::size_t{1} << Bits> models; // [0] is not used

  template <class Coder>
  std::uint32_t code(Coder &coder, std::uint32_t value) {
    std::uint32_t node = 1;
    for (int i = Bits - 1; i >= 0; --i)
      node = (node << 1) | static_cast<std::uint32_t>(code_bit(coder, models[node], static_cast<int>(value >> i & 1)));
    return node & ((1U << Bits) - 1);
  }
};

/// A small integer that is mostly near zero: zero flag, sign, then |value| - 1 in unary, the bits from the 16th on
/// sharing a model. Values stay within +-1000: no reader counts further.
struct SignedModel {
  static constexpr int limit = 1000;
  AdaptiveBit zero, sign;
  std::array<AdaptiveBit, 16> more;

  template <class Coder>
  int code(Coder &coder, int value) {
    if (code_bit(coder, zero, value == 0 ? 1 : 0) != 0) return 0;
    const bool negative = code_bit(coder, sign, value < 0 ? 1 : 0) != 0;
    const int wanted = value < 0 ? -value : value;
    int size = 1;
    while (size < limit &&
           code_bit(coder, more[static_cast<std::size_t>(std::min(size - 1, 15))], wanted > size ? 1 : 0) != 0)
      ++size;
    return negative ? -size : size;
  }
};

} // namespace edgec
