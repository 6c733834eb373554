// Samples for networks that come without any: made up so that they look like what the network was trained on.
#pragma once

#include <memory>
#include <vector>

#include "data/samples.h"
#include "ir/graph.h"

namespace edgec {

/// What an input without samples is taken to be.
enum class InputKind {
  image,     ///< pixels: dead leaves through `preprocess`
  series,    ///< features, sound, maps: noise with a 1/f spectrum along each axis
  tokens,    ///< indices below `bound`, frequent ones first (Zipf)
  mask,      ///< 1 for what counts
  positions, ///< 0, 1, 2, ...
  zeros,     ///< segment ids
  noise,     ///< anything else: seeded random numbers
};

struct MadeUpInput {
  InputSpec spec;
  InputKind kind = InputKind::noise;
  std::int64_t bound = 0;             ///< rows of the table that tokens index
  Preprocess preprocess;              ///< of images: what turns pixels into values, after resizing
  int axis = 0;                       ///< of a series: mean and std belong to its indices
  std::vector<float> mean{0}, std{1}; ///< one for all, or one an index of `axis`
};

/// What the graph's inputs are, told by their types, names and readers. Images get pixels in [0, 1].
std::vector<MadeUpInput> guess_inputs(const Graph &graph);

/// Height and width of an image input as samples are made; channels.
struct PictureShape {
  int width = 0, height = 0, channels = 3;
};
/// Nothing: the type is not that of a picture (rank 3 or 4 with 3 channels, or a square with one).
std::optional<PictureShape> picture_shape(const Type &type);

/// Seeded pictures, each painted when it is first asked for and kept. Thread-safe.
class PictureBook;
std::shared_ptr<PictureBook> picture_book(std::size_t count, std::uint64_t seed);

/// `count` seeded samples; all image inputs of one show the same picture of the book, which holds at least as many.
/// Symbolic lengths of token sequences differ from sample to sample. Errors: an input for which nothing can be made up.
Result<std::unique_ptr<SampleSet>> made_up_samples(std::size_t count, std::vector<MadeUpInput> inputs,
                                                   std::shared_ptr<PictureBook> pictures, std::uint64_t seed);

/// "images", "series [1,1,49,10]", "token ids below 30522": for the report.
std::string describe(const MadeUpInput &input);

} // namespace edgec
