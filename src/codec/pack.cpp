#include "codec/pack.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <fmt/format.h>

#include "codec/byte_coder.h"
#include "codec/code_stream.h"
#include "codec/float_coder.h"
#include "codec/parts.h"
#include "codec/zstd.h"

namespace edgec {
namespace {

constexpr std::size_t contexts_below = std::size_t{16} << 20;
constexpr std::size_t any_speed_below = std::size_t{1} << 16; ///< bytes that even the slowest coder reads in no time
constexpr std::size_t records_below = std::size_t{1} << 18;
constexpr double contexts_gain_below = 6;                 ///< bits a code
constexpr std::size_t probe_above = std::size_t{1} << 18; ///< bytes on which zstd's slow levels take a while
constexpr int fast_level = 3;

/// A buffer after a transform.
struct Form {
  Transform transform = Transform::none;
  std::vector<std::byte> coded;       ///< Transform::none: unused
  std::size_t prefix = 0;             ///< bytes before the codes
  std::vector<CodeShape> shapes = {}; ///< codes of a byte each; empty: none
  bool is_signed = false;
};

/// A form after a compressor.
struct Candidate {
  Compressor compressor = Compressor::none;
  std::vector<std::byte> stored;
};

std::size_t count_of(const std::vector<CodeShape> &shapes) {
  std::size_t count = 0;
  for (const CodeShape &shape : shapes) count += shape.count();
  return count;
}

/// Whether there are so many zeros that the bits which tell where they are take less.
bool sparse_saves(ByteView raw, std::size_t width) {
  constexpr std::byte nothing[8] = {};
  std::size_t zeros = 0;
  for (std::size_t at = 0; at + width <= raw.size(); at += width)
    zeros += std::memcmp(raw.data() + at, nothing, width) == 0 ? width : 0;
  return zeros > raw.size() / width / 8;
}

std::vector<Form> forms_of(ByteView raw, const Content &content) {
  std::vector<Form> found{{}};
  const std::size_t width = content.width;
  if (width == 0 || raw.empty()) return found;
  const auto known = [&](std::size_t count) {
    return count_of(content.shapes) == count ? content.shapes : std::vector<CodeShape>();
  };
  if (content.code_bits == 8) {
    found[0].shapes = known(raw.size());
    found[0].is_signed = content.is_signed;
  } else if (content.code_bits > 0) {
    std::vector<std::byte> codes = encode_codes(raw, content.code_bits, content.is_signed);
    auto shapes = known(codes.size() - 1);
    found.push_back({Transform::codes, std::move(codes), 1, std::move(shapes), content.is_signed});
  }
  const auto offer = [&](Transform transform, std::optional<std::vector<std::byte>> coded) {
    if (coded) found.push_back({transform, std::move(*coded)});
  };
  const auto distinct = palette_size(raw, width);
  if (distinct && (*distinct < 256 || width > 1)) {
    const int bits = std::max(1, static_cast<int>(std::bit_width(*distinct - 1)));
    offer(Transform::palette, encode_palette(raw, width, bits));
    // A byte a code is longer, but a compressor sees the codes and may end up shorter.
    if (bits < 8 && (width > 1 || 8 % bits != 0)) offer(Transform::palette, encode_palette(raw, width, 8));
    if (width > 1) {
      found.back().prefix = 4 + *distinct * width;
      found.back().shapes = known(raw.size() / width);
    }
  }
  if (raw.size() <= probe_above || sparse_saves(raw, width)) offer(Transform::sparse, encode_sparse(raw, width));
  if (content.hashed) offer(Transform::hashed, encode_hashed(raw, width, *content.hashed));
  if (width > 1) offer(Transform::planes, encode_planes(raw, width));
  return found;
}

ByteView bytes_of(const Form &form, ByteView raw) {
  return form.transform == Transform::none ? raw : ByteView(form.coded);
}

std::uint8_t likeliest(ByteView bytes) {
  std::array<std::size_t, 256> counts{};
  for (const std::byte byte : bytes) ++counts[std::to_integer<std::size_t>(byte)];
  return static_cast<std::uint8_t>(std::ranges::max_element(counts) - counts.begin());
}

void code_weights(const Form &form, ByteView coded, std::vector<Candidate> &found) {
  CodeArray array{coded, form.prefix, 0, form.shapes};
  if (!form.is_signed) array.zero = likeliest(coded.subspan(form.prefix));
  const std::vector<std::int8_t> codes = centred(array);
  double rate = 0;
  if (form.shapes.size() == 1) {
    const RansPlan plan = plan_rans(codes, form.shapes.front());
    rate = plan.bits / static_cast<double>(codes.size());
    found.push_back({Compressor::rans, encode_rans_stream(array, codes, plan)});
  }
  const bool large = codes.size() > contexts_below || (codes.size() > any_speed_below && rate > contexts_gain_below);
  if (!large) found.push_back({Compressor::contexts, encode_context_stream(array, codes)});
}

/// What is made of a form with the coders that know what it holds.
std::vector<Candidate> candidates(const Form &form, const Content &content, ByteView raw) {
  const ByteView coded = bytes_of(form, raw);
  std::vector<Candidate> found;
  if (!form.shapes.empty()) code_weights(form, coded, found);
  const bool floats_lie_bare = form.transform == Transform::none || form.transform == Transform::hashed;
  if (floats_lie_bare && content.is_float && coded.size() % 4 == 0) {
    std::vector<std::uint32_t> floats(coded.size() / 4);
    if (!coded.empty()) std::memcpy(floats.data(), coded.data(), coded.size());
    found.push_back({Compressor::floats, encode_floats(floats)});
  }
  if (content.width == 0 && raw.size() <= records_below) found.push_back({Compressor::bytes, encode_bytes(raw)});
  return found;
}

/// Slices from all over a buffer, one after another.
std::vector<std::byte> excerpt(ByteView bytes) {
  constexpr std::size_t slices = 16, length = 4096;
  static_assert(slices * length <= probe_above);
  std::vector<std::byte> taken;
  for (std::size_t i = 0; i < slices; ++i) {
    const ByteView slice = bytes.subspan((bytes.size() - length) / (slices - 1) * i, length);
    taken.insert(taken.end(), slice.begin(), slice.end());
  }
  return taken;
}

/// The level of zstd for each form. On large buffers the slow ones take a minute for 40 MB, and most floats gain
/// nothing by them: they are for forms that, by what they save on an excerpt, may become the smallest. 0: the form is
/// left out.
std::vector<int> zstd_levels(const std::vector<Form> &forms, ByteView raw, int level, std::size_t smallest) {
  constexpr double most_gain = 1.25;
  const bool codes = !forms[0].shapes.empty(); // of floats even a tenth is not worth the time
  const double doubt = codes ? 1.05 : 1.005, worthwhile = codes ? 0.995 : 0.9;
  std::vector<int> levels(forms.size(), level);
  if (raw.size() <= probe_above || level <= fast_level) return levels;
  std::vector<double> gains(forms.size(), 1), expected(forms.size());
  auto best = static_cast<double>(smallest);
  for (std::size_t i = 0; i < forms.size(); ++i) {
    expected[i] = static_cast<double>(zstd_compress(bytes_of(forms[i], raw), fast_level).size());
    best = std::min(best, expected[i]);
  }
  for (std::size_t i = 0; i < forms.size(); ++i) {
    const ByteView coded = bytes_of(forms[i], raw);
    if (coded.size() <= probe_above || expected[i] > most_gain * best) continue;
    const std::vector<std::byte> part = excerpt(coded);
    gains[i] = static_cast<double>(zstd_compress(part, level).size()) /
               static_cast<double>(zstd_compress(part, fast_level).size());
    expected[i] *= gains[i];
  }
  best = std::min(best, *std::ranges::min_element(expected));
  for (std::size_t i = 0; i < forms.size(); ++i) {
    const bool small = bytes_of(forms[i], raw).size() <= probe_above;
    levels[i] = expected[i] > doubt * best ? 0 : small || gains[i] < worthwhile ? level : fast_level;
  }
  return levels;
}

/// How long a reader needs, by rank.
int slowness(Compressor compressor) {
  switch (compressor) {
  case Compressor::none: return 0;
  case Compressor::zstd:
  case Compressor::rans: return 1;
  case Compressor::floats: return 2;
  case Compressor::contexts:
  case Compressor::bytes:
  case Compressor::parts: break;
  }
  return 3;
}

/// Takes what is smallest, or among large ones what is faster and hardly larger.
class Choice {
public:
  explicit Choice(ByteView raw) : raw_(raw), best_{{0, 0, raw.size(), raw.size()}, {}}, size_(raw.size()) {}

  void consider(const Form &form, Candidate candidate) {
    const std::size_t coded = bytes_of(form, raw_).size(), stored = candidate.stored.size();
    const bool allowed = raw_.size() <= expansion_limit(coded) && coded <= expansion_limit(stored);
    if (stored == 0 || !allowed || !better(candidate.compressor, stored)) return;
    best_ = {{static_cast<std::uint8_t>(form.transform), static_cast<std::uint8_t>(candidate.compressor), raw_.size(),
              coded},
             std::move(candidate.stored)};
    size_ = stored;
    rank_ = slowness(candidate.compressor);
  }
  Packed take() { return std::move(best_); }

private:
  ByteView raw_;
  Packed best_;
  std::size_t size_;
  int rank_ = 0;

  [[nodiscard]] bool better(Compressor compressor, std::size_t stored) const {
    const int rank = slowness(compressor);
    if (raw_.size() < any_speed_below || rank == rank_ || stored >= raw_.size()) return stored < size_;
    const double slack = rank < rank_ ? 1.005 : 1 / 1.005;
    return static_cast<double>(stored) < static_cast<double>(size_) * slack;
  }
};

} // namespace

std::string_view name(Compressor compressor) {
  switch (compressor) {
  case Compressor::none: return "none";
  case Compressor::zstd: return "zstd";
  case Compressor::rans: return "rans";
  case Compressor::contexts: return "contexts";
  case Compressor::floats: return "floats";
  case Compressor::bytes: return "bytes";
  case Compressor::parts: return "parts";
  }
  return "unknown";
}

std::string to_string(const Packing &packing) {
  if (packing.is_plain()) return "plain";
  const auto part = [](std::string_view known, int id) {
    return known == "unknown" ? fmt::format("#{}", id) : std::string(known);
  };
  const std::string transform = part(name(static_cast<Transform>(packing.transform)), packing.transform);
  const std::string compressor = part(name(static_cast<Compressor>(packing.compressor)), packing.compressor);
  if (packing.compressor == 0) return transform;
  return packing.transform == 0 ? compressor : transform + "+" + compressor;
}

Packed pack_smallest(ByteView raw, const Content &content, int level) {
  const std::vector<Form> forms = forms_of(raw, content);
  std::vector<std::vector<Candidate>> coded;
  std::size_t smallest = raw.size();
  for (const Form &form : forms) {
    for (const Candidate &candidate : coded.emplace_back(candidates(form, content, raw)))
      if (!candidate.stored.empty()) smallest = std::min(smallest, candidate.stored.size());
  }
  const std::vector<int> levels = zstd_levels(forms, raw, level, smallest);
  Choice choice(raw);
  for (std::size_t i = 0; i < forms.size(); ++i) {
    const Form &form = forms[i];
    if (form.transform != Transform::none) choice.consider(form, {Compressor::none, form.coded});
    if (levels[i] > 0) choice.consider(form, {Compressor::zstd, zstd_compress(bytes_of(form, raw), levels[i])});
    for (Candidate &candidate : coded[i]) choice.consider(form, std::move(candidate));
  }
  return choice.take();
}

namespace {

/// Undoes the compressor.
Result<std::vector<std::byte>> expand(ByteView stored, Compressor compressor, std::size_t size, int threads) {
  switch (compressor) {
  case Compressor::none: break;
  case Compressor::zstd: return zstd_decompress(stored, size);
  case Compressor::rans: return decode_rans_stream(stored, size);
  case Compressor::contexts: return decode_context_stream(stored, size);
  case Compressor::floats: {
    if (size % 4 != 0) return bad_input(fmt::format("{} bytes are not a whole number of floats", size));
    std::vector<std::uint32_t> floats(size / 4);
    EDGEC_CHECK(decode_floats(stored, floats));
    std::vector<std::byte> bytes(size);
    if (size > 0) std::memcpy(bytes.data(), floats.data(), size);
    return bytes;
  }
  case Compressor::bytes: {
    std::vector<std::byte> bytes(size);
    EDGEC_CHECK(decode_bytes(stored, bytes));
    return bytes;
  }
  case Compressor::parts: return unpack_parts(stored, size, threads);
  }
  return std::vector<std::byte>(stored.begin(), stored.end());
}

} // namespace

Result<std::vector<std::byte>> unpack(ByteView stored, const Packing &packing, int threads) {
  if (packing.transform > static_cast<std::uint8_t>(Transform::hashed))
    return unsupported(fmt::format("transform {} is unknown to this version", packing.transform));
  if (packing.compressor > static_cast<std::uint8_t>(Compressor::parts))
    return unsupported(fmt::format("compressor {} is unknown to this version", packing.compressor));
  if (packing.coded_size > expansion_limit(stored.size()) || packing.raw_size > expansion_limit(packing.coded_size))
    return bad_input(fmt::format("{} bytes claim to become {}, more than is allowed", stored.size(), packing.raw_size));
  const auto coded_size = static_cast<std::size_t>(packing.coded_size);
  const auto raw_size = static_cast<std::size_t>(packing.raw_size);
  std::vector<std::byte> buffer;
  ByteView coded = stored;
  if (packing.compressor != 0) {
    EDGEC_ASSIGN(buffer, expand(stored, static_cast<Compressor>(packing.compressor), coded_size, threads));
    coded = buffer;
  }
  if (coded.size() != coded_size)
    return bad_input(fmt::format("{} coded bytes, {} were expected", coded.size(), coded_size));
  switch (static_cast<Transform>(packing.transform)) {
  case Transform::none: break;
  case Transform::palette: return decode_palette(coded, raw_size);
  case Transform::sparse: return decode_sparse(coded, raw_size);
  case Transform::planes: return decode_planes(coded, raw_size);
  case Transform::codes: return decode_codes(coded, raw_size);
  case Transform::hashed: return decode_hashed(coded, raw_size);
  }
  if (raw_size != coded_size) return bad_input(fmt::format("{} bytes, {} were expected", coded_size, raw_size));
  return buffer.empty() ? std::vector<std::byte>(coded.begin(), coded.end()) : std::move(buffer);
}

} // namespace edgec
