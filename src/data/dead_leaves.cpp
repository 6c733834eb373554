#include "data/dead_leaves.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <vector>

#include "data/fractal_noise.h"

namespace edgec {
namespace {

using Colour3 = std::array<float, 3>;

constexpr float least_radius = 3;

Colour3 any_colour(Random &random) {
  Colour3 colour{};
  for (float &value : colour) value = static_cast<float>(random.uniform(0, 255));
  return colour;
}

/// Noise of three channels that go mostly together, as those of photographs do.
class Texture {
public:
  Texture(int side, Random &random) {
    const int dims[] = {side, side};
    common_ = fractal_noise(dims, random);
    for (auto &own : own_) own = fractal_noise(dims, random);
  }
  [[nodiscard]] float at(std::size_t pixel, std::size_t channel) const {
    return 0.8F * common_[pixel] + 0.6F * own_[channel][pixel];
  }

private:
  std::vector<float> common_;
  std::array<std::vector<float>, 3> own_;
};

struct Leaf {
  float x, y, radius, aspect, angle, shade_angle, shade, texture;
  std::size_t shift; ///< of the texture, in pixels
  bool ellipse;
  Colour3 colour;
};

/// A radius with density ~ r^-3 between the least and `most`, by inversion.
float any_radius(float most, Random &random) {
  const double low = 1 / (least_radius * least_radius), high = 1 / (most * most);
  return static_cast<float>(1 / std::sqrt(low + (high - low) * random.uniform()));
}

Leaf any_leaf(int side, const Colour3 &background, Random &random) {
  Leaf leaf{};
  const auto size = static_cast<float>(side);
  leaf.x = static_cast<float>(random.uniform(0, side));
  leaf.y = static_cast<float>(random.uniform(0, side));
  leaf.radius = any_radius(std::max(0.45F * size, least_radius + 1), random);
  leaf.aspect = static_cast<float>(random.uniform(0.4, 1));
  leaf.angle = static_cast<float>(random.uniform(0, std::numbers::pi));
  leaf.shade_angle = static_cast<float>(random.uniform(0, 2 * std::numbers::pi));
  leaf.shade = static_cast<float>(random.uniform(0, 40));
  leaf.texture = leaf.radius > 6 ? static_cast<float>(random.uniform(0, 30)) : 0;
  leaf.shift =
      static_cast<std::size_t>(random.below(static_cast<std::uint64_t>(side) * static_cast<std::uint64_t>(side)));
  leaf.ellipse = random.uniform() < 0.5;
  leaf.colour = any_colour(random);
  for (std::size_t c = 0; c < 3; ++c) leaf.colour[c] = 0.7F * leaf.colour[c] + 0.3F * background[c];
  return leaf;
}

std::uint8_t clipped(float value) { return static_cast<std::uint8_t>(std::clamp(value + 0.5F, 0.0F, 255.0F)); }

void paint(Image &image, const Leaf &leaf, const Texture &texture) {
  const int side = image.width;
  const auto bound = [&](float at) { return std::clamp(static_cast<int>(at), 0, side); };
  const float reach = leaf.radius * 1.42F; // a rectangle's corner
  const float cosine = std::cos(leaf.angle), sine = std::sin(leaf.angle);
  const float across = std::cos(leaf.shade_angle), down = std::sin(leaf.shade_angle);
  const std::size_t pixels = static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
  for (int y = bound(leaf.y - reach); y < bound(leaf.y + reach + 1); ++y)
    for (int x = bound(leaf.x - reach); x < bound(leaf.x + reach + 1); ++x) {
      const float dx = (static_cast<float>(x) - leaf.x) / leaf.radius,
                  dy = (static_cast<float>(y) - leaf.y) / leaf.radius;
      const float u = cosine * dx + sine * dy, v = (cosine * dy - sine * dx) / leaf.aspect;
      if (leaf.ellipse ? u * u + v * v > 1 : std::max(std::abs(u), std::abs(v)) > 1) continue;
      const float shade = leaf.shade * (across * dx + down * dy);
      const std::size_t at =
          (static_cast<std::size_t>(y) * static_cast<std::size_t>(side) + static_cast<std::size_t>(x) + leaf.shift) %
          pixels;
      std::uint8_t *pixel = image.at(x, y);
      for (std::size_t c = 0; c < 3; ++c)
        pixel[c] = clipped(leaf.colour[c] + shade + (leaf.texture > 0 ? leaf.texture * texture.at(at, c) : 0));
    }
}

} // namespace

Image dead_leaves(int side, Random &random) {
  Image image(side, side, 3);
  const Colour3 background = any_colour(random);
  const Texture texture(side, random);
  constexpr float amplitude = 30;
  for (std::size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = clipped(background[i % 3] + amplitude * texture.at(i / 3, i % 3));
  std::vector<Leaf> leaves(60 + random.below(341));
  for (Leaf &leaf : leaves) leaf = any_leaf(side, background, random);
  std::ranges::stable_sort(leaves, std::greater(), &Leaf::radius); // small ones on top
  for (const Leaf &leaf : leaves) paint(image, leaf, texture);
  return image;
}

} // namespace edgec
