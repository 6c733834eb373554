#include "kernels/isa.h"

#include <array>
#include <mutex>

#include <oneapi/dnnl/dnnl.hpp>

namespace edgec {
namespace {

constexpr std::array<std::string_view, 5> names = {"scalar", "avx2", "avx512", "vnni", "amx"};

dnnl::cpu_isa onednn_isa(Isa isa) {
  switch (isa) {
  case Isa::scalar: return dnnl::cpu_isa::sse41;
  case Isa::avx2: return dnnl::cpu_isa::avx2;
  case Isa::avx512: return dnnl::cpu_isa::avx512_core;
  case Isa::vnni: return dnnl::cpu_isa::avx512_core_vnni;
  case Isa::amx: break;
  }
  return dnnl::cpu_isa::all;
}

} // namespace

Isa detect_isa() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Isa::scalar;
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
  if (!avx512) return Isa::avx2;
  if (!__builtin_cpu_supports("avx512vnni")) return Isa::avx512;
  return dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core_amx ? Isa::amx : Isa::vnni;
#else
  return Isa::scalar;
#endif
}

bool has_bfloat16(Isa isa) {
  return isa >= Isa::vnni && dnnl::get_effective_cpu_isa() >= dnnl::cpu_isa::avx512_core_bf16;
}

std::string_view name(Isa isa) { return names[static_cast<std::size_t>(isa)]; }

std::optional<Isa> parse_isa(std::string_view name) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == name) return static_cast<Isa>(i);
  return std::nullopt;
}

Isa apply_isa_limit(Isa isa) {
  static std::once_flag once;
  static Isa limit;
  std::call_once(once, [isa] {
    // Refused only if a primitive exists already: then nothing below `all` was asked for before.
    const bool set = dnnl::set_max_cpu_isa(onednn_isa(isa)) == dnnl::status::success;
    limit = set ? std::min(isa, detect_isa()) : detect_isa();
  });
  return limit;
}

} // namespace edgec
