// Settings of schemes as a command line says them.
#pragma once

#include <gtest/gtest.h>

#include <map>
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
  std::map<std::string, std::vector<std::string>> texts;
  for (const std::string &word : words) {
    const auto equals = word.find('=');
    texts[word.substr(0, equals)].push_back(equals == std::string::npos ? "true" : word.substr(equals + 1));
  }
  for (const auto &[key, values] : texts) {
    Option *option = options.find(key);
    if (option == nullptr) {
      ADD_FAILURE() << "there is no option " << key;
      continue;
    }
    const Status status = option->assign(option->is_list() ? values : std::vector{values.back()});
    EXPECT_TRUE(status) << status.error().message;
  }
  return settings;
}

} // namespace edgec
