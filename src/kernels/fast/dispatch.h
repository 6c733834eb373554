// One loop body, compiled for several instruction sets and run on several threads.
//
// A body is a lambda marked EDGEC_INLINE: it is inlined into functions with target attributes and vectorized there. It
// must give the same bits everywhere: no contraction, explicit std::fma, no reassociation.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/elementwise.h"

#define EDGEC_INLINE __attribute__((always_inline))
#if defined(__x86_64__)
#define EDGEC_AVX2 [[gnu::target("avx2,fma")]]
#define EDGEC_AVX512 [[gnu::target("avx512f,avx512bw,avx512vl,avx512dq,avx2,fma,prefer-vector-width=512")]]
#else
#define EDGEC_AVX2
#define EDGEC_AVX512
#endif

namespace edgec::fast {

// By value: a local copy cannot alias the bytes that the loop writes.
template <class Body>
EDGEC_AVX2 void on_avx2(Body body, std::int64_t first, std::int64_t last) {
  body(first, last);
}
template <class Body>
void on_any(Body body, std::int64_t first, std::int64_t last) {
  body(first, last);
}
template <class Body>
EDGEC_AVX512 void on_avx512(Body body, std::int64_t first, std::int64_t last) {
  body(first, last);
}

/// body(first, last) covers 0 .. count - 1 in contiguous parts of at least `grain` items, one a thread.
template <class Body>
void dispatch(Run run, std::int64_t count, std::int64_t grain, const Body &body) {
  const auto part = [&](std::int64_t first, std::int64_t last) {
    if (run.isa >= Isa::avx512)
      on_avx512(body, first, last);
    else if (run.isa >= Isa::avx2)
      on_avx2(body, first, last);
    else
      on_any(body, first, last);
  };
  const auto threads =
      static_cast<int>(std::clamp<std::int64_t>(count / std::max<std::int64_t>(grain, 1), 1, std::max(run.threads, 1)));
  if (threads == 1) return part(0, count);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int t = 0; t < threads; ++t) part(count * t / threads, count * (t + 1) / threads);
}

} // namespace edgec::fast
