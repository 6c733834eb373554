// A code is a zero flag, its sign, the exponent e = floor(log2 |code|) in unary, two bits of mantissa, and the rest of
// it raw (as in CABAC and DeepCABAC, arXiv 1907.11900, but that the unary part counts exponents). Flag and exponent are
// mixed from seven contexts of magnitudes: those of neighbours, of the kernel so far, and running means of row, column
// and tap.
#include "codec/context_coder.h"

#include <bit>
#include <cstdlib>
#include <fmt/format.h>
#include <memory>

#include "codec/mixing.h"
#include "support/cancel.h"

namespace edgec {
namespace {

constexpr int sets = 7;
constexpr std::size_t contexts = 480; ///< of a set
constexpr int exponents = 7;          ///< of 1 .. 128

/// A running mean of magnitudes in 1/256, which forgets as if it had seen at most `memory` of them.
struct Mean {
  std::uint16_t value = 0, seen = 0;

  void add(int magnitude, std::uint16_t memory) {
    if (seen < memory) ++seen;
    value = static_cast<std::uint16_t>(value + ((std::int64_t{magnitude * 256 - value} * (65536 / seen)) >> 16));
  }
  /// In steps of half an octave from 1/16 on, 0 .. 19.
  [[nodiscard]] std::size_t level() const;
};

/// 0, 1, 2, 3, then two steps an octave up to 19.
std::size_t level(int number) {
  const auto wide = static_cast<std::uint32_t>(number);
  if (wide < 4) return wide;
  const int top = std::bit_width(wide) - 1;
  return static_cast<std::size_t>(std::min(19, 2 * top + static_cast<int>(wide >> (top - 1) & 1)));
}

std::size_t Mean::level() const { return edgec::level(value >> 4); }

struct Model {
  std::array<std::array<std::array<AdaptiveBit, contexts>, sets>, 1 + exponents> bits;
  std::array<Mixer<sets, 10300, 2>, 1 + exponents> mixers;
  std::array<std::array<AdaptiveBit, 3>, 1 + exponents> mantissas;

  /// For the next tensor: a prior only.
  void soften() {
    for (auto &node : bits)
      for (auto &set : node)
        for (AdaptiveBit &bit : set) bit.soften(30);
    for (auto &node : mantissas)
      for (AdaptiveBit &bit : node) bit.soften(30);
  }
};

/// One tensor on its way through a coder: codes are read by an encoder and written by a decoder.
template <class Coder, class Code>
class Pass {
public:
  Pass(Coder &coder, Model &model, const CodeShape &shape, Code *codes)
      : coder_(coder), model_(model), shape_(shape), codes_(codes), width_(shape.columns * shape.taps),
        columns_(shape.columns), places_(width_), taps_(shape.taps) {}

  void run() {
    for (std::size_t r = 0; r < shape_.rows && !interrupted(); ++r) {
      Mean row = all_;
      row.seen = std::min<std::uint16_t>(row.seen, 2);
      Code *at = codes_ + r * width_;
      for (std::size_t c = 0, j = 0; c < shape_.columns; ++c)
        for (std::size_t k = 0; k < shape_.taps; ++k, ++j) {
          if (k == 0) kernel_ = 0;
          const int magnitude = code(at, r, c, j, k, row);
          kernel_ += magnitude;
          row.add(magnitude, 24);
          columns_[c].add(magnitude, 48);
          places_[j].add(magnitude, 16);
          taps_[k].add(magnitude, 100);
          all_.add(magnitude, 255);
        }
    }
  }

private:
  Coder &coder_;
  Model &model_;
  const CodeShape &shape_;
  Code *codes_;
  std::size_t width_;
  std::vector<Mean> columns_, places_, taps_;
  Mean all_;
  int kernel_ = 0; ///< sum of magnitudes of the taps before, in this row and column
  std::array<std::size_t, sets> context_{};

  void look(const Code *row_begin, std::size_t r, std::size_t c, std::size_t j, std::size_t k, const Mean &row) {
    const Code *here = row_begin + j;
    const auto magnitude = [&](bool inside, std::size_t back) {
      return inside ? std::abs(int{here[-static_cast<std::ptrdiff_t>(back)]}) : 0;
    };
    const int before = magnitude(j >= 1, 1);
    const int before2 = magnitude(j >= 2, 2);
    const int left = magnitude(c >= 1, shape_.taps);
    const int above = magnitude(r >= 1, width_);
    const int above2 = magnitude(r >= 2, 2 * width_);
    const Mean &column = columns_[c], &place = places_[j];
    const auto few = [](int number, int most) { return static_cast<std::size_t>(std::min(number, most)); };
    context_ = {
        row.level() * 20 + taps_[k].level(),
        row.level() * 20 + column.level(),
        place.level() * 18 + few(before, 2) * 6 + few(left, 5),
        level(2 * (2 * before + 2 * left + 2 * above + above2 + before2)) * 24 + std::min<std::size_t>(k, 23),
        level((row.value + column.value + place.value) >> 4) * 20 + level(4 * (before + left + above)),
        few(before, 15) * 20 + level(2 * (before2 + left)),
        level(k == 0 ? 0 : 4 * kernel_ / static_cast<int>(k)) * 24 + std::min<std::size_t>(k, 23),
    };
  }

  int flag(std::size_t node, int bit) {
    std::array<AdaptiveBit *, sets> votes;
    for (std::size_t i = 0; i < sets; ++i) votes[i] = &model_.bits[node][i][context_[i]];
    return model_.mixers[node].code(coder_, votes, bit);
  }

  /// Codes one; gives its magnitude.
  int code(Code *row_begin, std::size_t r, std::size_t c, std::size_t j, std::size_t k, const Mean &row) {
    look(row_begin, r, c, j, k, row);
    Code &place = row_begin[j];
    int given = 0;
    if constexpr (std::is_const_v<Code>) given = place;
    const auto wanted = static_cast<std::uint32_t>(std::abs(given));
    if (flag(0, given != 0 ? 1 : 0) == 0) {
      if constexpr (!std::is_const_v<Code>) place = 0;
      return 0;
    }
    const bool negative = coder_.code(given < 0 ? 1 : 0, 32768) != 0;
    int exponent = 0;
    while (exponent < exponents &&
           flag(static_cast<std::size_t>(1 + exponent), (wanted >> 1) >> exponent != 0 ? 1 : 0) != 0)
      ++exponent;
    auto &mantissa = model_.mantissas[static_cast<std::size_t>(exponent)];
    std::uint32_t found = 1;
    const auto bit = [&](int below) { return static_cast<int>(wanted >> (exponent - below) & 1); };
    if (exponent >= 1) found = found * 2 + static_cast<std::uint32_t>(code_bit(coder_, mantissa[0], bit(1)));
    if (exponent >= 2)
      found = found * 2 + static_cast<std::uint32_t>(code_bit(coder_, mantissa[1 + (found & 1)], bit(2)));
    if (exponent >= 3) found = (found << (exponent - 2)) | code_raw(coder_, exponent - 2, wanted);
    // A stream may name 128 .. 255; what it means is the code's low byte.
    const auto value = static_cast<std::int8_t>(negative ? 0U - found : found);
    if constexpr (!std::is_const_v<Code>) place = value;
    return std::abs(int{value});
  }
};

template <class Coder, class Code>
void code_all(Coder &coder, std::span<const CodeShape> shapes, Code *codes) {
  const auto model = std::make_unique<Model>();
  bool first = true;
  for (const CodeShape &shape : shapes) {
    if (!first) model->soften();
    first = false;
    Pass<Coder, Code>(coder, *model, shape, codes).run();
    codes += shape.count();
  }
}

} // namespace

std::vector<std::byte> encode_contexts(std::span<const std::int8_t> codes, std::span<const CodeShape> shapes) {
  BitEncoder coder;
  code_all(coder, shapes, codes.data());
  return coder.finish();
}

double context_bits(std::span<const std::int8_t> codes, std::span<const CodeShape> shapes) {
  BitCounter coder;
  code_all(coder, shapes, codes.data());
  return coder.bits();
}

Status decode_contexts(ByteView stream, std::span<const CodeShape> shapes, std::span<std::int8_t> codes) {
  BitDecoder coder(stream);
  code_all(coder, shapes, codes.data());
  EDGEC_CHECK(check_interrupted());
  if (!coder.at_end()) return bad_input("the coded weights end at another place than their stream");
  return {};
}

} // namespace edgec
