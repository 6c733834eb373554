#include "schemes/fitting/options.h"

namespace edgec {

void FitOptions::set_effort(std::string level) {
  effort = std::move(level);
  second_order = effort != "fast";
  positions = effort == "high" ? 512 : 128;
  rounding_sweeps = effort == "high" ? 12 : 4;
}

void declare_fit_options(Options &options, Settings &settings) {
  auto &fit = settings.edit<FitOptions>();
  options.group("Fitting to samples");
  options
      .add("--effort", "LEVEL", &fit.effort,
           "fast: weights are rounded and cut as they are; default: they are fitted to the outputs of the original "
           "network; high: to more of each sample")
      .one_of({"fast", "default", "high"})
      .is_common()
      .needs("int8|weights|prune|share")
      .finally([&fit] {
        fit.set_effort(fit.effort);
        return Status();
      })
      .records(
          [&fit, &options] { return options.holds("int8") || fit.effort != "default" ? fit.effort : std::string(); });
}

} // namespace edgec
