// Settings of schemes as a command line says them.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "schemes/scheme.h"

namespace edgec {

/// Options as they are typed, without dashes: "prune=0.5", "no-bias-correction".
using Words = std::vector<std::string>;

inline Settings settings_of(const Words &words) {
  Settings settings;
  Options options("compress", "", "");
  declare_schemes(options, settings);
  for (const std::string &word : words) {
    const auto equals = word.find('=');
    Option *option = options.find(word.substr(0, equals));
    if (option == nullptr) {
      ADD_FAILURE() << "there is no option " << word;
      continue;
    }
    const Status status = option->assign({equals == std::string::npos ? "true" : word.substr(equals + 1)});
    EXPECT_TRUE(status) << status.error().message;
  }
  return settings;
}

} // namespace edgec
