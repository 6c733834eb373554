// Made-up pictures with the statistics of natural images, for networks that come without samples.
#pragma once

#include "data/image.h"
#include "support/random.h"

namespace edgec {

/// An RGB picture of `side` x `side` pixels: opaque ellipses and rectangles of many sizes (density of radii ~ r^-3) lie
/// on top of each other, shaded and textured, so that scale invariance, occlusion, edges and 1/f spectra are those of
/// photographs (Lee, Mumford and Huang 2001; Baradad et al. 2021).
Image dead_leaves(int side, Random &random);

} // namespace edgec
