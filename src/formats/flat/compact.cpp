#include "formats/flat/compact.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>
#include <map>
#include <string>
#include <unordered_map>

#include "codec/varint.h"
#include "formats/flat/graph_generated.h"
#include "formats/flat/graph_section.h"

namespace edgec::flat {
namespace {

using flatbuffers::ElementaryType;
using flatbuffers::TypeTable;

/// A field of a kind of tables.
struct Field {
  const TypeTable *table;
  std::size_t index;

  [[nodiscard]] ElementaryType type() const { return static_cast<ElementaryType>(table->type_codes[index].base_type); }
  [[nodiscard]] bool is_list() const { return table->type_codes[index].is_repeating != 0; }
  [[nodiscard]] const TypeTable *child() const { return table->type_refs[table->type_codes[index].sequence_ref](); }
  [[nodiscard]] flatbuffers::voffset_t offset() const { return static_cast<flatbuffers::voffset_t>(4 + 2 * index); }
  friend auto operator<=>(const Field &, const Field &) = default;
};

std::uint64_t zigzag(std::int64_t value) {
  return static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
}
std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

template <class T>
T load(const std::uint8_t *at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

/// Unsigned numbers name things in order: they are told by their distance from the last one in the same field.
bool is_relative(ElementaryType type) { return type == flatbuffers::ET_UINT || type == flatbuffers::ET_ULONG; }

/// varint of 64 bits: ten bytes at most.
void put_number(std::vector<std::byte> &bytes, std::uint64_t value) { put_varint(bytes, value); }

std::size_t width_of(ElementaryType type) {
  switch (type) {
  case flatbuffers::ET_UCHAR: return 1;
  case flatbuffers::ET_LONG:
  case flatbuffers::ET_ULONG: return 8;
  default: return 4;
  }
}

class Compactor {
public:
  std::vector<std::byte> run(const std::uint8_t *root, const TypeTable *type) {
    table(root, type);
    return std::move(record_);
  }

private:
  std::vector<std::byte> record_;
  std::unordered_map<std::string, std::size_t> strings_;
  std::map<Field, std::int64_t> last_;

  static const std::uint8_t *follow(const std::uint8_t *at) { return at + load<flatbuffers::uoffset_t>(at); }

  void table(const std::uint8_t *at, const TypeTable *type) {
    const auto *here = reinterpret_cast<const flatbuffers::Table *>(at);
    std::uint64_t present = 0;
    for (std::size_t i = 0; i < type->num_elems; ++i)
      if (here->CheckField(Field{type, i}.offset())) present |= std::uint64_t{1} << i;
    put_number(record_, present);
    for (std::size_t i = 0; i < type->num_elems; ++i)
      if ((present >> i & 1) != 0) field(here->GetAddressOf(Field{type, i}.offset()), {type, i});
  }

  void field(const std::uint8_t *at, const Field &field) {
    if (!field.is_list()) return item(at, field);
    const std::uint8_t *list = follow(at);
    const auto count = load<flatbuffers::uoffset_t>(list);
    put_number(record_, count);
    for (std::size_t i = 0; i < count; ++i) item(list + 4 + i * width_of(field.type()), field);
  }

  void item(const std::uint8_t *at, const Field &field) {
    switch (field.type()) {
    case flatbuffers::ET_UCHAR: return record_.push_back(static_cast<std::byte>(*at));
    case flatbuffers::ET_INT: return put_number(record_, zigzag(load<std::int32_t>(at)));
    case flatbuffers::ET_LONG: return put_number(record_, zigzag(load<std::int64_t>(at)));
    case flatbuffers::ET_UINT: return relative(load<std::uint32_t>(at), field);
    case flatbuffers::ET_ULONG: return relative(static_cast<std::int64_t>(load<std::uint64_t>(at)), field);
    case flatbuffers::ET_FLOAT:
      for (std::size_t i = 0; i < 4; ++i) record_.push_back(static_cast<std::byte>(at[i]));
      return;
    case flatbuffers::ET_STRING: return string(*reinterpret_cast<const flatbuffers::String *>(follow(at)));
    default: return table(follow(at), field.child());
    }
  }

  void relative(std::int64_t value, const Field &field) {
    std::int64_t &last = last_[field];
    put_number(record_,
               zigzag(static_cast<std::int64_t>(static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(last))));
    last = value;
  }

  /// One met before by its number from 1 on; a new one as 0, its length and its bytes.
  void string(const flatbuffers::String &text) {
    const auto [found, fresh] = strings_.try_emplace(text.str(), strings_.size() + 1);
    put_number(record_, fresh ? 0 : found->second);
    if (!fresh) return;
    put_number(record_, text.size());
    for (const char letter : found->first) record_.push_back(static_cast<std::byte>(letter));
  }
};

class Expander {
public:
  explicit Expander(ByteView record) : rest_(record) {}

  Result<std::vector<std::byte>> run(const TypeTable *type, const char *identifier) {
    EDGEC_ASSIGN(const auto root, table(type));
    if (!rest_.empty()) return bad_input(fmt::format("{} bytes behind its record", rest_.size()));
    builder_.Finish(flatbuffers::Offset<void>(root), identifier);
    const auto *begin = reinterpret_cast<const std::byte *>(builder_.GetBufferPointer());
    return std::vector<std::byte>(begin, begin + builder_.GetSize());
  }

private:
  using Place = flatbuffers::uoffset_t; ///< in the builder

  ByteView rest_;
  flatbuffers::FlatBufferBuilder builder_{65536};
  std::vector<Place> strings_;
  std::map<Field, std::int64_t> last_;

  static Error cut_off() { return bad_input("its record is cut off"); }

  /// FlatBuffers itself only asserts that it stays below 2 GiB.
  Status check_room(std::size_t bytes) {
    if (bytes > max_section_bytes / 2 || builder_.GetSize() > max_section_bytes / 2)
      return bad_input("its record unfolds to more than is allowed");
    return {};
  }

  Result<std::uint64_t> number() {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < rest_.size() && i < 10; ++i) {
      const auto byte = std::to_integer<std::uint64_t>(rest_[i]);
      value |= (byte & 127) << (7 * i);
      if (byte >= 128) continue;
      rest_ = rest_.subspan(i + 1);
      return value;
    }
    return cut_off();
  }

  /// Any item takes a byte at least, so that a count is bounded by what is left.
  Result<std::size_t> count() {
    EDGEC_ASSIGN(const std::uint64_t found, number());
    if (found > rest_.size()) return cut_off();
    EDGEC_CHECK(check_room(found * 8));
    return static_cast<std::size_t>(found);
  }

  /// A field's content before its table is begun: bits of a scalar, or the place of what it refers to.
  Result<std::uint64_t> item(const Field &field) {
    if (field.type() == flatbuffers::ET_SEQUENCE) return wide(table(field.child()));
    if (field.type() == flatbuffers::ET_STRING) return wide(string());
    const std::size_t raw = field.type() == flatbuffers::ET_UCHAR ? 1 : field.type() == flatbuffers::ET_FLOAT ? 4 : 0;
    if (raw > 0) {
      if (rest_.size() < raw) return cut_off();
      std::uint64_t value = 0;
      std::memcpy(&value, rest_.data(), raw);
      rest_ = rest_.subspan(raw);
      return value;
    }
    EDGEC_ASSIGN(const std::uint64_t coded, number());
    if (!is_relative(field.type())) return static_cast<std::uint64_t>(unzigzag(coded));
    std::int64_t &last = last_[field];
    last = static_cast<std::int64_t>(static_cast<std::uint64_t>(last) + static_cast<std::uint64_t>(unzigzag(coded)));
    if (field.type() == flatbuffers::ET_UINT) last = static_cast<std::uint32_t>(last);
    return static_cast<std::uint64_t>(last);
  }
  static Result<std::uint64_t> wide(Result<Place> place) {
    if (!place) return std::move(place).error();
    return std::uint64_t{*place};
  }

  template <class T>
  Place numbers(const std::vector<std::uint64_t> &items) {
    std::vector<T> values;
    values.reserve(items.size());
    for (const std::uint64_t each : items) values.push_back(static_cast<T>(each));
    return builder_.CreateVector(values).o;
  }

  Result<Place> list(const Field &field) {
    EDGEC_ASSIGN(const std::size_t size, count());
    std::vector<std::uint64_t> items;
    for (std::size_t i = 0; i < size; ++i) {
      EDGEC_ASSIGN(items.emplace_back(), item(field));
    }
    switch (field.type()) {
    case flatbuffers::ET_UCHAR: return numbers<std::uint8_t>(items);
    case flatbuffers::ET_LONG:
    case flatbuffers::ET_ULONG: return numbers<std::uint64_t>(items);
    case flatbuffers::ET_STRING:
    case flatbuffers::ET_SEQUENCE: {
      std::vector<flatbuffers::Offset<void>> offsets;
      for (const std::uint64_t each : items) offsets.emplace_back(static_cast<Place>(each));
      return builder_.CreateVector(offsets).o;
    }
    default: return numbers<std::uint32_t>(items);
    }
  }

  Result<Place> string() {
    EDGEC_ASSIGN(const std::uint64_t index, number());
    if (index > strings_.size()) return bad_input(fmt::format("string {} of {}", index, strings_.size()));
    if (index > 0) return strings_[index - 1];
    EDGEC_ASSIGN(const std::size_t size, count());
    strings_.push_back(builder_.CreateString(reinterpret_cast<const char *>(rest_.data()), size).o);
    rest_ = rest_.subspan(size);
    return strings_.back();
  }

  Result<Place> table(const TypeTable *type) {
    EDGEC_ASSIGN(const std::uint64_t present, number());
    if (present >> type->num_elems != 0) return unsupported("its record has fields that this version does not know");
    EDGEC_CHECK(check_room(8 * type->num_elems));
    std::vector<std::pair<Field, std::uint64_t>> content;
    for (std::size_t i = 0; i < type->num_elems; ++i) {
      if ((present >> i & 1) == 0) continue;
      const Field field{type, i};
      auto found = field.is_list() ? wide(list(field)) : item(field);
      if (!found) return std::move(found).error();
      content.emplace_back(field, *found);
    }
    const Place start = builder_.StartTable();
    for (const std::size_t width : {8, 4, 1}) // large ones first, as FlatBuffers' own code does
      for (const auto &[field, value] : content) add(field, value, width);
    return builder_.EndTable(start);
  }

  void add(const Field &field, std::uint64_t value, std::size_t width) {
    const bool refers =
        field.is_list() || field.type() == flatbuffers::ET_STRING || field.type() == flatbuffers::ET_SEQUENCE;
    if ((refers ? 4 : width_of(field.type())) != width) return;
    if (refers)
      builder_.AddOffset(field.offset(), flatbuffers::Offset<void>(static_cast<Place>(value)));
    else if (width == 8)
      builder_.AddElement(field.offset(), value);
    else if (width == 4)
      builder_.AddElement(field.offset(), static_cast<std::uint32_t>(value));
    else
      builder_.AddElement(field.offset(), static_cast<std::uint8_t>(value));
  }
};

} // namespace

std::vector<std::byte> compact_graph(ByteView flatbuffer) {
  const auto *root = flatbuffers::GetRoot<std::uint8_t>(flatbuffer.data());
  return Compactor().run(root, fb::ModelTypeTable());
}

Result<std::vector<std::byte>> expand_graph(ByteView record) {
  return Expander(record).run(fb::ModelTypeTable(), fb::ModelIdentifier());
}

} // namespace edgec::flat
