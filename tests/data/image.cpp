#include "data/image.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <numeric>

#include "support/file.h"

namespace edgec {
namespace {

using testing::HasSubstr;

/// The picture that tests/data/files and the golden values below were made of, with Pillow 13.0.0.
Image pattern(int width, int height, int channels) {
  Image image(width, height, channels);
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int k = 0; k < channels; ++k)
        image.at(x, y)[k] = static_cast<std::uint8_t>(x * 37 + y * 59 + k * 101 + x * y * 7);
  return image;
}

Storage file(const std::string &name) {
  auto mapped = map_file(std::string(EDGEC_SOURCE_DIR "/tests/data/files/") + name);
  EXPECT_TRUE(mapped) << name;
  return *mapped;
}

/// A position-dependent sum, as computed from Pillow's pixels.
std::uint64_t checksum(const Image &image) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < image.pixels.size(); ++i) sum += image.pixels[i] * ((i + 1) % 65521);
  return sum % 1000000007;
}

struct Golden {
  const char *name;
  std::uint64_t sum;
};

class DecodesAsPillow : public testing::TestWithParam<Golden> {};
TEST_P(DecodesAsPillow, EveryPixel) {
  const auto image = decode_image(file(GetParam().name).bytes());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->channels, 3);
  EXPECT_EQ(checksum(*image), GetParam().sum);
}
INSTANTIATE_TEST_SUITE_P(Files, DecodesAsPillow,
                         testing::Values(Golden{"rgb.png", 33399216}, Golden{"grey.png", 35379144},
                                         Golden{"rgba.png", 33399216}, Golden{"palette.png", 33444189},
                                         Golden{"bits.png", 34782255}, Golden{"rgb.ppm", 33399216},
                                         Golden{"grey.pgm", 35379144}, Golden{"photo.jpg", 564258242},
                                         Golden{"grey.jpg", 587529948}, Golden{"progressive.jpg", 563715335}),
                         [](const auto &param) {
                           std::string name = param.param.name;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

TEST(Image, SixteenBitSamplesKeepTheirHighByte) {
  const auto image = decode_image(file("grey16.png").bytes());
  ASSERT_TRUE(image);
  EXPECT_EQ(image->pixels, decode_image(file("grey.png").bytes())->pixels);
}

TEST(Image, ResizesAsPillow) {
  const Image source = pattern(7, 5, 3);
  const std::vector<std::uint8_t> bilinear{46,  147, 131, 109, 179, 84,  160, 144, 128, 140, 96,  133,
                                           142, 121, 91,  139, 110, 154, 107, 151, 105, 114, 114, 114,
                                           168, 88,  182, 106, 144, 138, 169, 131, 144, 98,  145, 164};
  EXPECT_EQ(resize(source, 4, 3, Filter::bilinear).pixels, bilinear);
  const std::vector<std::uint8_t> bicubic{37,  150, 133, 112, 184, 77,  164, 142, 131, 139, 93,  133,
                                          149, 121, 77,  141, 104, 165, 102, 157, 103, 113, 112, 112,
                                          174, 83,  192, 99,  146, 135, 174, 130, 139, 95,  145, 169};
  EXPECT_EQ(resize(source, 4, 3, Filter::bicubic).pixels, bicubic);
}

TEST(Image, ResizesAsPillowInEitherOrderOfThePasses) {
  const auto sum = [](int width, int height, Filter filter) {
    const Image out = resize(pattern(7, 5, 3), width, height, filter);
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < out.pixels.size(); ++i) total += out.pixels[i] * (i + 1);
    return total;
  };
  EXPECT_EQ(sum(10, 8, Filter::bilinear), 3825703U); // enlarged
  EXPECT_EQ(sum(9, 2, Filter::bicubic), 192955U);    // rows first: wider but lower
  EXPECT_EQ(sum(2, 9, Filter::bilinear), 196826U);   // columns first
  EXPECT_EQ(sum(7, 3, Filter::bilinear), 265517U);   // one pass
  EXPECT_EQ(sum(3, 5, Filter::bicubic), 137550U);
}

TEST(Image, TheLongerSideIsTruncated) {
  const Image out = resize_shorter_side(pattern(7, 5, 3), 3, Filter::bilinear); // 3 * 7 / 5 = 4.2
  EXPECT_EQ(out.width, 4);
  EXPECT_EQ(out.height, 3);
  const Image tall = resize_shorter_side(pattern(3, 8, 1), 2, Filter::bilinear);
  EXPECT_EQ(tall.width, 2);
  EXPECT_EQ(tall.height, 5);
}

TEST(Image, CropsTheMiddleRoundedDown) {
  const Image out = centre_crop(pattern(7, 5, 3), 2);
  EXPECT_EQ(out.at(0, 0)[0], pattern(7, 5, 3).at(2, 1)[0]);
  EXPECT_EQ(out.at(1, 1)[2], pattern(7, 5, 3).at(3, 2)[2]);
}

TEST(Image, GreyIsPillowsLuma) {
  EXPECT_EQ(to_grey(pattern(3, 2, 3)).pixels, (std::vector<std::uint8_t>{82, 119, 127, 112, 156, 200}));
}

std::string message(ByteView bytes) {
  const auto image = decode_image(bytes);
  if (image) return "decoded";
  EXPECT_EQ(image.error().code, Code::bad_input);
  return image.error().message;
}

Storage text(std::string_view content) { return Storage::copy(std::as_bytes(std::span(content))); }

TEST(Image, JpegsThatAreWrittenCanBeRead) {
  Image image(20, 12, 3);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(i / 3);
  const std::string file = encode_jpeg(image, 95);
  const auto read = decode_jpeg(std::as_bytes(std::span(file)));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->width, 20);
  EXPECT_EQ(read->height, 12);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) EXPECT_NEAR(read->pixels[i], image.pixels[i], 12);
  EXPECT_EQ(encode_jpeg(image, 95), file);
}

TEST(Image, ThumbnailsKeepTheirShape) {
  EXPECT_EQ(thumbnail(Image(200, 50, 1), 64).height, 16);
  EXPECT_EQ(thumbnail(Image(200, 50, 1), 64).width, 64);
  EXPECT_EQ(thumbnail(Image(1000, 1, 3), 64).height, 1);
  EXPECT_EQ(thumbnail(Image(8, 8, 1), 64).width, 8);
}

TEST(Image, RefusesWhatIsNoImage) {
  EXPECT_EQ(message({}), "the file is empty, an image was expected");
  EXPECT_EQ(message(text("<html>").bytes()), "is not an image that can be read; JPEG, PNG and binary PPM are");
}

TEST(Image, RefusesCmyk) {
  EXPECT_EQ(message(file("cmyk.jpg").bytes()), "the JPEG has CMYK colours, which are not read; save it as RGB");
}

TEST(Image, NamesEveryTruncation) {
  for (const char *name : {"photo.jpg", "progressive.jpg", "rgb.png", "rgb.ppm"}) {
    const Storage whole = file(name);
    for (std::size_t size = 12; size + 2 < whole.size(); size += 7) {
      const std::string said = message(whole.bytes().first(size));
      EXPECT_TRUE(said.starts_with("truncated") || said.starts_with("damaged"))
          << name << " at " << size << ": " << said;
    }
  }
}

TEST(Image, RefusesSizesThatTheFileCannotHold) {
  EXPECT_EQ(message(text("P6 20000 20000 255\n").bytes()),
            "the PPM is 20000 x 20000 pixels, more than the 178956970 that are read");
  EXPECT_EQ(message(text("P6 10 10 255\nabc").bytes()), "truncated PPM: 10 x 10 pixels need 300 bytes, 3 are there");
  EXPECT_EQ(message(text("P5 2 2 65535\n12345678").bytes()), "the PPM has 65535 levels; up to 255 are read");
  EXPECT_THAT(message(text("P6 99999999999 1 255\n").bytes()), HasSubstr("damaged PPM"));

  const Storage photo = file("photo.jpg");
  std::vector<std::byte> jpeg(photo.bytes().begin(), photo.bytes().end());
  for (std::size_t i = 0; i + 8 < jpeg.size(); ++i)
    if (jpeg[i] == std::byte{0xff} && jpeg[i + 1] == std::byte{0xc0}) // start of frame: height, width
      for (std::size_t k = 5; k < 9; ++k) jpeg[i + k] = std::byte{0x30};
  EXPECT_EQ(message(jpeg), "truncated JPEG: 839 bytes cannot hold 12336 x 12336 pixels");
}

TEST(Image, PpmLevelsAreStretchedAndCommentsSkipped) {
  const auto image = decode_image(text("P5 # a comment\n3 1\n15\n\x01\x07\x0f").bytes());
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->pixels, (std::vector<std::uint8_t>{17, 17, 17, 119, 119, 119, 255, 255, 255}));
}

} // namespace
} // namespace edgec
