#include "codec/pack.h"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

#include "codec/zstd.h"

namespace edgec {
namespace {

constexpr std::size_t compare_fully = std::size_t{16} << 20;

struct Candidate {
  Transform transform = Transform::none;
  std::vector<std::byte> coded; // Transform::none: unused
};

std::vector<Candidate> candidates(ByteView raw, std::size_t width) {
  std::vector<Candidate> found{{}};
  const auto offer = [&](Transform transform, std::optional<std::vector<std::byte>> coded) {
    if (coded) found.push_back({transform, std::move(*coded)});
  };
  if (width == 0 || raw.empty()) return found;
  const auto distinct = palette_size(raw, width);
  if (distinct && (*distinct < 256 || width > 1)) {
    const int bits = std::max(1, static_cast<int>(std::bit_width(*distinct - 1)));
    offer(Transform::palette, encode_palette(raw, width, bits));
    // A byte a code is longer, but zstd sees the codes and may end up shorter.
    if (bits < 8 && (width > 1 || 8 % bits != 0)) offer(Transform::palette, encode_palette(raw, width, 8));
  }
  offer(Transform::sparse, encode_sparse(raw, width));
  if (width > 1) offer(Transform::planes, encode_planes(raw, width));
  return found;
}

ByteView bytes_of(const Candidate &candidate, ByteView raw) {
  return candidate.transform == Transform::none ? raw : ByteView(candidate.coded);
}

} // namespace

std::string_view name(Compressor compressor) {
  switch (compressor) {
  case Compressor::none: return "none";
  case Compressor::zstd: return "zstd";
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

Packed pack_smallest(ByteView raw, std::size_t width, int level) {
  Packed best{{0, 0, raw.size(), raw.size()}, {}};
  std::size_t best_size = raw.size();
  const auto consider = [&](const Candidate &candidate, Compressor compressor, std::vector<std::byte> stored) {
    const ByteView coded = bytes_of(candidate, raw);
    const bool allowed = raw.size() <= expansion_limit(coded.size()) && coded.size() <= expansion_limit(stored.size());
    if (stored.empty() || stored.size() >= best_size || !allowed) return;
    best_size = stored.size();
    best = {{static_cast<std::uint8_t>(candidate.transform), static_cast<std::uint8_t>(compressor), raw.size(),
             coded.size()},
            std::move(stored)};
  };
  std::vector<Candidate> all = candidates(raw, width);
  if (raw.size() > compare_fully) {
    std::vector<std::size_t> rough;
    for (const Candidate &candidate : all) rough.push_back(zstd_compress(bytes_of(candidate, raw), 3).size());
    const auto smallest = static_cast<std::size_t>(std::ranges::min_element(rough) - rough.begin());
    all = {std::move(all[smallest])};
  }
  for (const Candidate &candidate : all) {
    if (candidate.transform != Transform::none) consider(candidate, Compressor::none, candidate.coded);
    consider(candidate, Compressor::zstd, zstd_compress(bytes_of(candidate, raw), level));
  }
  return best;
}

Result<std::vector<std::byte>> unpack(ByteView stored, const Packing &packing) {
  if (packing.transform > static_cast<std::uint8_t>(Transform::planes))
    return unsupported(fmt::format("transform {} is unknown to this version", packing.transform));
  if (packing.compressor > static_cast<std::uint8_t>(Compressor::zstd))
    return unsupported(fmt::format("compressor {} is unknown to this version", packing.compressor));
  if (packing.coded_size > expansion_limit(stored.size()) || packing.raw_size > expansion_limit(packing.coded_size))
    return bad_input(fmt::format("{} bytes claim to become {}, more than is allowed", stored.size(), packing.raw_size));
  const auto coded_size = static_cast<std::size_t>(packing.coded_size);
  const auto raw_size = static_cast<std::size_t>(packing.raw_size);
  std::vector<std::byte> buffer;
  ByteView coded = stored;
  if (static_cast<Compressor>(packing.compressor) == Compressor::zstd) {
    EDGEC_ASSIGN(buffer, zstd_decompress(stored, coded_size));
    coded = buffer;
  }
  if (coded.size() != coded_size)
    return bad_input(fmt::format("{} coded bytes, {} were expected", coded.size(), coded_size));
  switch (static_cast<Transform>(packing.transform)) {
  case Transform::none: break;
  case Transform::palette: return decode_palette(coded, raw_size);
  case Transform::sparse: return decode_sparse(coded, raw_size);
  case Transform::planes: return decode_planes(coded, raw_size);
  }
  if (raw_size != coded_size) return bad_input(fmt::format("{} bytes, {} were expected", coded_size, raw_size));
  return buffer.empty() ? std::vector<std::byte>(coded.begin(), coded.end()) : std::move(buffer);
}

} // namespace edgec
