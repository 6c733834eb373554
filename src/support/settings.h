// Settings of many owners in one place: each a struct that only its owner knows.
#pragma once

#include <any>
#include <map>
#include <typeindex>
#include <utility>

namespace edgec {

/// One struct of each type asked for; what was never edited has the defaults of its type.
class Settings {
public:
  Settings() = default;
  template <class T, class... More>
  requires(!std::is_same_v<T, Settings>) explicit(false)
      Settings(T first, More... more) { // NOLINT(google-explicit-constructor): Settings{PruneOptions{...}}
    edit<T>() = std::move(first);
    ((edit<More>() = std::move(more)), ...);
  }

  template <class T>
  [[nodiscard]] const T &get() const {
    static const T defaults{};
    const auto found = all_.find(typeid(T));
    return found == all_.end() ? defaults : *std::any_cast<T>(&found->second);
  }
  /// Stays where it is as long as these settings live: an option may be bound to it.
  template <class T>
  [[nodiscard]] T &edit() {
    return *std::any_cast<T>(&all_.try_emplace(typeid(T), T{}).first->second);
  }

private:
  std::map<std::type_index, std::any> all_;
};

} // namespace edgec
