#include "codec/rans.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>

#include "codec/rans_side.h"
#include "codec/varint.h"

namespace edgec {
namespace {

constexpr std::uint32_t low = 1U << 16; ///< a state lies in low .. 2^32 - 1
constexpr std::size_t ways = 4;         ///< code i of the array belongs to state i mod 4

/// A slot of a table: its code, the code's frequency - 1 and the slot's place among the code's.
struct Slot {
  std::uint32_t packed;
  [[nodiscard]] std::int8_t code() const { return static_cast<std::int8_t>(packed & 0xff); }
  [[nodiscard]] std::uint32_t frequency() const { return (packed >> 8 & 0xfff) + 1; }
  [[nodiscard]] std::uint32_t place() const { return packed >> 20; }
};
using Slots = std::array<Slot, slot_count>;

struct Words {
  const std::byte *at = nullptr, *end = nullptr;
  [[nodiscard]] std::size_t left() const { return static_cast<std::size_t>(end - at) / 2; }
};

std::uint32_t word(const std::byte *at) {
  std::uint16_t value; // little endian, as the machines that edgec runs on
  std::memcpy(&value, at, 2);
  return value;
}

/// Takes a code off a state. Unchecked: `words` has one to give.
inline std::int8_t take(std::uint32_t &state, const Slot *slots, const std::byte *&at) {
  const Slot slot = slots[state & (slot_count - 1)];
  const std::uint32_t next = slot.frequency() * (state >> frequency_bits) + slot.place();
  const bool short_of = next < low;
  state = short_of ? next << 16 | word(at) : next;
  at += short_of ? 2 : 0;
  return slot.code();
}

inline std::int8_t take_checked(std::uint32_t &state, const Slot *slots, Words &words, bool &short_of) {
  const Slot slot = slots[state & (slot_count - 1)];
  state = slot.frequency() * (state >> frequency_bits) + slot.place();
  if (state >= low) return slot.code();
  if (words.left() == 0) {
    short_of = true;
    state = low;
    return slot.code();
  }
  state = state << 16 | word(words.at);
  words.at += 2;
  return slot.code();
}

/// States 0 .. 3 are those of the next four codes.
struct Lanes {
  std::array<std::uint32_t, ways> state;
  void rotate(std::size_t by) {
    std::rotate(state.begin(), state.begin() + static_cast<std::ptrdiff_t>(by % ways), state.end());
  }
};

/// `count` codes of one row; the slots of code j are those of by_level[places[j]].
bool take_run(Lanes &lanes, const Slot *const *by_level, const std::uint8_t *places, Words &words, std::int8_t *codes,
              std::size_t count) {
  bool short_of = false;
  std::size_t j = 0;
  auto [a, b, c, d] = lanes.state;
  while (count - j >= ways && words.left() > ways) {
    const std::size_t blocks = std::min((count - j) / ways, (words.left() - 1) / ways);
    const std::byte *at = words.at;
    for (const std::size_t stop = j + blocks * ways; j < stop; j += ways) {
      codes[j] = take(a, by_level[places[j]], at);
      codes[j + 1] = take(b, by_level[places[j + 1]], at);
      codes[j + 2] = take(c, by_level[places[j + 2]], at);
      codes[j + 3] = take(d, by_level[places[j + 3]], at);
    }
    words.at = at;
  }
  lanes.state = {a, b, c, d};
  for (; j < count; ++j) {
    codes[j] = take_checked(lanes.state[0], by_level[places[j]], words, short_of);
    lanes.rotate(1);
  }
  return !short_of;
}

std::vector<Slots> spread(const RansPlan &plan) {
  std::vector<Slots> tables(plan.tables.size());
  for (std::size_t t = 0; t < tables.size(); ++t) {
    const auto found = frequencies(plan.tables[t], plan.step);
    if (!found) return {};
    std::size_t next = 0;
    for (std::uint32_t symbol = 0; symbol < 256; ++symbol)
      for (std::uint32_t place = 0; place < (*found)[symbol]; ++place)
        tables[t][next++] = {((symbol - 128) & 0xff) | ((*found)[symbol] - 1U) << 8 | place << 20};
  }
  return tables;
}

Error wrong_stream() { return bad_input("the coded weights are damaged: no such stream was ever written"); }

} // namespace

std::vector<std::byte> encode_rans(std::span<const std::int8_t> codes, const CodeShape &shape, const RansPlan &plan) {
  BitEncoder coder;
  RansPlan copy = plan;
  code_side(coder, copy);
  const std::vector<std::byte> side = coder.finish();

  struct Place {
    std::uint32_t start, frequency;
  };
  std::vector<std::array<Place, 256>> tables(plan.tables.size());
  for (std::size_t t = 0; t < tables.size(); ++t) {
    const auto found = *frequencies(plan.tables[t], plan.step);
    std::uint32_t start = 0;
    for (std::size_t symbol = 0; symbol < 256; start += found[symbol++]) tables[t][symbol] = {start, found[symbol]};
  }
  const std::vector<std::uint8_t> places = place_levels(shape, plan.levels);
  std::array<std::uint32_t, ways> states;
  states.fill(low);
  std::vector<std::uint16_t> words; // last first
  for (std::size_t i = codes.size(); i-- > 0;) {
    const std::size_t sum = plan.levels.rows[i / places.size()] + std::size_t{places[i % places.size()]};
    const Place &place = tables[plan.table_of_sum[sum]][static_cast<std::size_t>(codes[i] + 128)];
    std::uint32_t &state = states[i % ways];
    if (state >= std::uint64_t{place.frequency} << (32 - frequency_bits)) {
      words.push_back(static_cast<std::uint16_t>(state));
      state >>= 16;
    }
    state = ((state / place.frequency) << frequency_bits) + state % place.frequency + place.start;
  }
  std::vector<std::byte> stream;
  stream.reserve(side.size() + 2 * words.size() + 32);
  put_varint(stream, side.size());
  for (const std::byte byte : side) stream.push_back(byte);
  const auto put = [&](std::uint32_t value) {
    stream.push_back(static_cast<std::byte>(value & 0xff));
    stream.push_back(static_cast<std::byte>(value >> 8 & 0xff));
  };
  for (const std::uint32_t state : states) {
    put(state);
    put(state >> 16);
  }
  for (std::size_t i = words.size(); i-- > 0;) put(words[i]);
  return stream;
}

Status decode_rans(ByteView stream, const CodeShape &shape, std::span<std::int8_t> codes) {
  const auto side_size = take_varint(stream);
  if (!side_size || *side_size > stream.size() || stream.size() - *side_size < 4 * ways) return wrong_stream();
  BitDecoder coder(stream.first(*side_size));
  RansPlan plan;
  plan.levels = {std::vector<std::uint8_t>(shape.rows), std::vector<std::uint8_t>(shape.columns),
                 std::vector<std::uint8_t>(shape.taps)};
  if (!code_side(coder, plan) || !coder.at_end()) return wrong_stream();
  const std::vector<Slots> tables = spread(plan);
  if (tables.empty()) return wrong_stream();
  Words words{stream.data() + *side_size, stream.data() + stream.size()};
  Lanes lanes;
  for (std::uint32_t &state : lanes.state) {
    state = word(words.at) | word(words.at + 2) << 16;
    words.at += 4;
    if (state < low) return wrong_stream();
  }
  std::vector<const Slot *> by_sum;
  for (const std::uint8_t table : plan.table_of_sum) by_sum.push_back(tables[table].data());
  const std::vector<std::uint8_t> places = place_levels(shape, plan.levels);
  for (std::size_t r = 0; r < shape.rows; ++r) {
    if (!take_run(lanes, by_sum.data() + plan.levels.rows[r], places.data(), words, codes.data() + r * places.size(),
                  places.size()))
      return wrong_stream();
  }
  const bool ended = std::ranges::all_of(lanes.state, [](std::uint32_t state) { return state == low; });
  if (!ended || words.at != words.end) return wrong_stream();
  return {};
}

} // namespace edgec
