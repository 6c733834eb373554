#include "job/target_flags.h"

#include "ops/registry.h"
#include "schemes/int8/target.h"

namespace edgec {

void TargetFlags::declare(Options &options) {
  options
      .add("--target", "RUNTIME", &name,
           "integers as this runtime computes them (ort-avx2: sums of two products of uint8 with int8 saturate in 16 "
           "bits); a reference is exact")
      .one_of(target_names());
}

const OpRegistry &TargetFlags::ops() const {
  const Target *target = find_target(name);
  return target != nullptr && target->saturates ? saturating_ops() : all_ops();
}

} // namespace edgec
