#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>

#include "data/preprocess.h"
#include "data/preprocess_help.h"
#include "support/file.h"
#include "support/text.h"

namespace edgec {
namespace {

/// A key with what was given for it: numbers, or a text that is none.
struct Setting {
  std::string key, text;
  std::vector<double> numbers;
};

/// A number, or a fraction such as 1/255.
std::optional<double> parse_number(std::string_view text) {
  double value = 0;
  const auto *end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{}) return std::nullopt;
  if (rest == end) return value;
  double divisor = 0;
  if (*rest != '/' || rest + 1 == end) return std::nullopt;
  const auto [last, bad] = std::from_chars(rest + 1, end, divisor);
  if (bad != std::errc{} || last != end || divisor == 0) return std::nullopt;
  return value / divisor;
}

struct Preset {
  std::string_view name, keys, what;
};

constexpr std::string_view torchvision = "resize=256,crop=224,scale=1/255,mean=0.485,0.456,0.406,std=0.229,0.224,0.225";
constexpr std::string_view caffe = "resize=256,crop=224,color=bgr,mean=103.939,116.779,123.68";
constexpr std::array presets{
    Preset{"torchvision", torchvision, "PyTorch's ImageNet networks"},
    Preset{"imagenet", torchvision, "the same"},
    Preset{"keras-mobilenet", "resize=256,crop=224,mean=127.5,std=127.5",
           "-1 .. 1: Keras' and TensorFlow's MobileNet, Inception"},
    Preset{"keras-vgg", caffe, "BGR less the means: Keras' VGG and ResNet"},
    Preset{"caffe", caffe, "the same"},
    Preset{"raw255", "scale=1", "the pixels, 0 .. 255"},
    Preset{"unit", "scale=1/255", "0 .. 1"},
};

Error wrong(const Setting &setting, std::string_view expected) {
  return usage_error(fmt::format("--preprocess: {} is '{}', {} was expected", setting.key, setting.text, expected));
}

Result<int> pixels(const Setting &setting, std::size_t index) {
  const double value = index < setting.numbers.size() ? setting.numbers[index] : 0;
  if (value < 1 || value > 16384 || value != std::floor(value))
    return wrong(setting, "a number of pixels (1 to 16384)");
  return static_cast<int>(value);
}

Result<std::vector<float>> channel_values(const Setting &setting) {
  const std::size_t count = setting.numbers.size();
  if (count != 1 && count != 3) return wrong(setting, "one number, or three (one per channel)");
  std::vector<float> values;
  for (const double number : setting.numbers) {
    values.push_back(static_cast<float>(number));
    const float value = values.back();
    if (!std::isfinite(value) || (setting.key == "std" && value == 0))
      return wrong(setting, "finite numbers, no std of 0");
  }
  return values;
}

Status set_size(const Setting &setting, Preprocess &rule) {
  const bool pair = setting.numbers.size() == 2;
  if (setting.numbers.size() != 1 && !pair) return wrong(setting, "a side, or width x height");
  EDGEC_ASSIGN(const int width, pixels(setting, 0));
  EDGEC_ASSIGN(const int height, pixels(setting, pair ? 1 : 0));
  rule.resize_to = {width, height};
  return {};
}

Status set_colour(const Setting &setting, Preprocess &rule) {
  const std::string word = lower(setting.text);
  if (word == "rgb")
    rule.colour = Colour::rgb;
  else if (word == "bgr")
    rule.colour = Colour::bgr;
  else if (word == "grey" || word == "gray" || word == "l")
    rule.colour = Colour::grey;
  else
    return wrong(setting, "rgb, bgr or grey");
  return {};
}

/// Applies one setting; false: no such key.
Result<bool> apply(const Setting &setting, Preprocess &rule) {
  const std::string &key = setting.key;
  const std::string word = lower(setting.text);
  if (key == "resize") {
    EDGEC_ASSIGN(rule.resize_short, pixels(setting, 0));
  } else if (key == "crop" || key == "centre_crop" || key == "center_crop") {
    EDGEC_ASSIGN(rule.centre_crop, pixels(setting, 0));
  } else if (key == "resize_to") {
    EDGEC_CHECK(set_size(setting, rule));
  } else if (key == "colour" || key == "color") {
    EDGEC_CHECK(set_colour(setting, rule));
  } else if (key == "filter") {
    if (word != "bilinear" && word != "bicubic") return wrong(setting, "bilinear or bicubic");
    rule.filter = word == "bicubic" ? Filter::bicubic : Filter::bilinear;
  } else if (key == "layout") {
    if (word != "nchw" && word != "nhwc") return wrong(setting, "nchw or nhwc");
    rule.nhwc = word == "nhwc";
  } else if (key == "scale") {
    if (setting.numbers.size() != 1 || !std::isfinite(static_cast<float>(setting.numbers[0])))
      return wrong(setting, "a number");
    rule.scale = static_cast<float>(setting.numbers[0]);
  } else if (key == "mean") {
    EDGEC_ASSIGN(rule.mean, channel_values(setting));
  } else if (key == "std") {
    EDGEC_ASSIGN(rule.std, channel_values(setting));
  } else {
    return false;
  }
  return true;
}

float largest(std::span<const float> values) { return *std::ranges::max_element(values); }

/// Means and deviations have to be of the same unit as the pixels that they are taken from.
Status check_units(const Preprocess &rule, bool scale_given) {
  const float mean = largest(rule.mean), std = largest(rule.std);
  if (!scale_given && mean <= 1 && std < 1)
    return usage_error(
        fmt::format("--preprocess: mean {} and std {} are meant for pixels of 0 .. 1, but pixels are 0 .. 255; "
                    "add scale=1/255 (scale=1 if this is what you want)",
                    fmt::join(rule.mean, ","), fmt::join(rule.std, ",")));
  if (std::abs(rule.scale) * 255 <= 2 && mean > 2)
    return usage_error(
        fmt::format("--preprocess: mean {} is meant for pixels of 0 .. 255, but scale {:.4g} makes them 0 .. {:.3g}; "
                    "leave scale out",
                    fmt::join(rule.mean, ","), rule.scale, 255 * rule.scale));
  return {};
}

Status check(const Preprocess &rule, bool scale_given) {
  EDGEC_CHECK(check_units(rule, scale_given));
  if (rule.colour == Colour::grey && (rule.mean.size() != 1 || rule.std.size() != 1))
    return usage_error("--preprocess: a grey image has one mean and one std, three were given");
  return {};
}

bool has_scale(std::span<const Setting> settings) {
  return std::ranges::find(settings, "scale", &Setting::key) != settings.end();
}

/// "resize=256,mean=1,2,3": a piece without '=' goes on with the values of the key before it; ':', ';', 'x' and spaces
/// part values too.
Result<std::optional<Preprocess>> parse_inline(std::string_view text) {
  std::vector<Setting> settings;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const std::string_view piece = trim(text.substr(start, comma - start));
    start = comma + 1;
    if (piece.empty()) continue;
    const auto equals = piece.find('=');
    if (equals == piece.npos && settings.empty())
      return usage_error(fmt::format("--preprocess: '{}' is not of the form key=value", piece));
    if (equals != piece.npos)
      settings.push_back({lower(trim(piece.substr(0, equals))), std::string(trim(piece.substr(equals + 1))), {}});
    else
      settings.back().text += fmt::format(",{}", piece);
  }
  Preprocess rule;
  for (Setting &setting : settings) {
    for (std::size_t start = 0; start < setting.text.size();) {
      start = setting.text.find_first_not_of(' ', start);
      const std::size_t end = std::min(setting.text.find_first_of(",;: x", start), setting.text.size());
      const auto number = parse_number(std::string_view(setting.text).substr(start, end - start));
      if (!number) {
        setting.numbers.clear();
        break;
      }
      setting.numbers.push_back(*number);
      start = end + 1;
    }
    EDGEC_ASSIGN(const bool known, apply(setting, rule));
    if (!known)
      return usage_error(
          fmt::format("--preprocess: unknown key '{}'; there are resize, crop, resize_to, filter, color, "
                      "layout, scale, mean, std",
                      setting.key));
  }
  EDGEC_CHECK(check(rule, has_scale(settings)));
  return std::optional(rule);
}

using Json = nlohmann::json;

/// Keys that are not known, and texts where numbers stand for something, are notes for people.
Result<std::optional<Preprocess>> from_json(const Json &image) {
  Preprocess rule;
  bool scale_given = false;
  for (const auto &[key, value] : image.items()) {
    Setting setting{key, value.is_string() ? value.get<std::string>() : value.dump().substr(0, 80), {}};
    if (value.is_null() || (key == "resize" && value.is_string())) continue;
    if (value.is_number()) setting.numbers = {value.get<double>()};
    if (value.is_array() && value.size() <= 3 &&
        std::ranges::all_of(value, [](const Json &v) { return v.is_number(); }))
      setting.numbers = value.get<std::vector<double>>();
    EDGEC_CHECK(apply(setting, rule));
    scale_given = scale_given || key == "scale";
  }
  EDGEC_CHECK(check(rule, scale_given));
  return std::optional(rule);
}

std::string names_of(const Json &entries) {
  std::string names;
  for (const auto &[name, entry] : entries.items()) {
    if (names.size() > 400) return names + ", ...";
    names += (names.empty() ? "" : ", ") + name.substr(0, 80);
  }
  return names;
}

Result<std::optional<Preprocess>> read_json(const std::string &path, const std::string &entry) {
  EDGEC_ASSIGN(const Storage file, map_file(path));
  constexpr std::size_t limit = 16 << 20;
  if (file.size() > limit)
    return bad_input(fmt::format("{}: has {} bytes, too many for a preprocessing file", path, file.size()));
  const auto *begin = reinterpret_cast<const char *>(file.data());
  const Json root = Json::parse(begin, begin + file.size(), nullptr, /*allow_exceptions=*/false);
  if (!root.is_object()) return bad_input(fmt::format("{}: is not a JSON object", path));
  const Json &entries = root.contains("models") && root["models"].is_object() ? root["models"] : root;
  if (!entries.contains(entry) || !entries[entry].is_object())
    return usage_error(
        fmt::format("--preprocess {}: {}; entries are: {}", path,
                    entry.empty() ? "name an entry as FILE.json:ENTRY" : fmt::format("there is no entry '{}'", entry),
                    names_of(entries)));
  if (!entries[entry].contains("image")) return std::optional<Preprocess>{};
  const Json &image = entries[entry]["image"];
  if (!image.is_object()) return bad_input(fmt::format("{}: entry '{}': its image is not an object", path, entry));
  return from_json(image).in(fmt::format("{}:{}", path, entry));
}

std::string preset_names() {
  std::string names;
  for (const Preset &preset : presets) names += (names.empty() ? "" : ", ") + std::string(preset.name);
  return names;
}

Result<std::optional<Preprocess>> parse(const std::string &text) {
  if (text.empty()) return std::optional<Preprocess>{};
  // A preset, and keys that change it: "torchvision,resize=146,crop=128".
  const std::string_view first = std::string_view(text).substr(0, text.find(','));
  const auto preset = std::ranges::find(presets, lower(trim(first)), &Preset::name);
  if (preset != presets.end()) return parse_inline(std::string(preset->keys) + text.substr(first.size()));
  if (const auto json = text.find(".json:"); json != text.npos)
    return read_json(text.substr(0, json + 5), text.substr(json + 6));
  if (text.ends_with(".json")) return read_json(text, "");
  if (text.find('=') != text.npos) return parse_inline(text);
  return usage_error(fmt::format("--preprocess: '{}' is neither a known name ({}), nor FILE.json:ENTRY, nor of the "
                                 "form resize=256,crop=224,...",
                                 text, preset_names()));
}

} // namespace

std::string preprocess_help() {
  std::string text = "--preprocess PRESET[,KEY=VALUE...], KEY=VALUE[,KEY=VALUE...], or FILE.json:ENTRY\n\nPresets:\n";
  for (const Preset &preset : presets)
    text += fmt::format("  {:<16}{}\n{:18}{}\n", preset.name, preset.what, "", preset.keys);
  return text + "\nKeys, applied in this order; spaces around them do not count:\n"
                "  resize=N        the shorter side becomes N pixels, with antialiasing as Pillow's\n"
                "  crop=N          the N x N pixels in the middle\n"
                "  resize_to=N     exactly N x N, or WxH, whatever the shape was\n"
                "  filter=F        of both: bilinear (default) or bicubic\n"
                "  color=C         rgb (default), bgr or grey\n"
                "  scale=S         pixels of 0 .. 255 are multiplied by it: a number or a fraction (default 1)\n"
                "  mean=M, std=D   then (pixel * scale - M) / D: one number, or three in the order of color\n"
                "  layout=L        nchw or nhwc (default: as the input's shape says)\n"
                "\nA FILE.json holds {\"ENTRY\": {\"image\": {\"crop\": 224, \"mean\": [1, 2, 3], ...}}}, at its top "
                "or under \"models\".\n"
                "An input of uint8 gets the pixels themselves. The range of values that goes in is shown on stderr.\n";
}

Result<std::optional<Preprocess>> parse_preprocess(const std::string &text) {
  auto rule = parse(text);
  if (rule && *rule) (**rule).description = text;
  return rule;
}

} // namespace edgec
