// What programs that compare the runtime with recorded results share: comparing values, and runs that may crash.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "ir/opdef.h"

namespace edgec::recorded {

struct Verdict {
  enum class Kind { pass, refused, wrong, crash } kind = Kind::crash;
  std::string text;
};

const char *word(Verdict::Kind kind);
/// Unsupported is refused, any other error is wrong.
Verdict refused_or_wrong(const Error &error);

/// |found - wanted| <= absolute + relative * |wanted|, and of 16-bit floats at least two last places; the defaults are
/// those of ONNX's backend tests.
struct Tolerance {
  double relative = 1e-3, absolute = 1e-7;
};

/// All elements as doubles; a complex number is two.
std::vector<double> numbers(const Tensor &tensor);
/// What differs, in words; empty: nothing.
std::string difference(const RuntimeValue &found, const RuntimeValue &wanted, const Tolerance &tolerance);

/// Runs something in a child process, at most `seconds`.
Verdict run_apart(const std::function<Verdict()> &run, unsigned seconds = 120);

} // namespace edgec::recorded
