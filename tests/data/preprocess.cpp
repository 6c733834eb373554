#include "data/preprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

namespace edgec {
namespace {

using testing::HasSubstr;

InputSpec input(DType dtype, Shape shape) { return {"data", Type::tensor(dtype, std::move(shape))}; }
Shape nchw(std::int64_t c, std::int64_t h, std::int64_t w) {
  return {Dim::named("N"), Dim::known(c), Dim::known(h), Dim::known(w)};
}

Preprocess rule(const std::string &text) {
  const auto parsed = parse_preprocess(text);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed && *parsed ? **parsed : Preprocess{};
}

std::string message(const std::string &text) {
  const auto parsed = parse_preprocess(text);
  return parsed ? "parsed" : parsed.error().message;
}

/// Two pixels: (10, 20, 30), (40, 50, 60).
Image two_pixels() {
  Image image(2, 1, 3);
  image.pixels = {10, 20, 30, 40, 50, 60};
  return image;
}

TEST(Preprocess, NothingGivesNothing) { EXPECT_FALSE(parse_preprocess("")->has_value()); }

TEST(Preprocess, ImagenetIsTorchvisions) {
  EXPECT_EQ(describe(rule("imagenet")),
            "shorter side to 256 (bilinear), centre crop 224 x 224, RGB, (pixel * 0.003921569 - "
            "[0.485 0.456 0.406]) / [0.229 0.224 0.225]");
  EXPECT_EQ(rule("imagenet").description, "imagenet");
}

TEST(Preprocess, InlineKeys) {
  EXPECT_EQ(describe(rule("crop=96,resize_to=320x240,filter=bicubic,color=bgr,scale=2,mean=1,2,3,std=4;5;6")),
            "centre crop 96 x 96, resize to 320 x 240 (bicubic), BGR, (pixel * 2 - [1 2 3]) / [4 5 6]");
  EXPECT_EQ(rule("layout=nhwc").nhwc, true);
  EXPECT_EQ(rule("resize_to=64").resize_to, std::pair(64, 64));
  EXPECT_EQ(rule("color=grey,mean=0.5").channels(), 1);
}

TEST(Preprocess, PresetsMayBeChanged) {
  EXPECT_EQ(describe(rule("torchvision")), describe(rule("imagenet")));
  EXPECT_EQ(describe(rule("keras-mobilenet")),
            "shorter side to 256 (bilinear), centre crop 224 x 224, RGB, (pixel * 1 - [127.5]) / [127.5]");
  EXPECT_EQ(describe(rule("Caffe, crop=96")), "shorter side to 256 (bilinear), centre crop 96 x 96, BGR, (pixel * 1 - "
                                              "[103.939 116.779 123.68]) / [1]");
  EXPECT_EQ(describe(rule("keras-vgg")), describe(rule("caffe")));
  EXPECT_EQ(describe(rule("raw255")), "RGB, (pixel * 1 - [0]) / [1]");
  EXPECT_EQ(describe(rule("unit,color=grey")), "grey, (pixel * 0.003921569 - [0]) / [1]");
}

TEST(Preprocess, SpacesDoNotCount) {
  for (const char *text : {"resize=256, crop=224, mean=1, 2, 3", " resize = 256 ,crop=224,mean=1,2,3",
                           "resize=256,crop=224,mean=1  2 3,", "resize=256,crop=224,mean= 1 2 3 "})
    EXPECT_EQ(describe(rule(text)),
              "shorter side to 256 (bilinear), centre crop 224 x 224, RGB, (pixel * 1 - [1 2 3]) / [1]")
        << text;
}

TEST(Preprocess, MeansAreOfThePixelsUnit) {
  for (const char *text : {"mean=0.485,0.456,0.406,std=0.229,0.224,0.225", "mean=0.5,std=0.5", "crop=8,std=0.25"})
    EXPECT_THAT(message(text), HasSubstr("are meant for pixels of 0 .. 1, but pixels are 0 .. 255; add scale=1/255"))
        << text;
  EXPECT_THAT(message("scale=1/255,mean=123.7,116.8,103.9"),
              HasSubstr("mean 123.7,116.8,103.9 is meant for pixels of 0 .. 255"));
  for (const char *text : {"scale=1,mean=0.5,std=0.5", "scale=1/255,mean=0.5,std=0.5", "mean=0.5",
                           "scale=1/127.5,mean=1", "mean=127.5,std=127.5", "std=255"})
    EXPECT_EQ(message(text), "parsed") << text;
}

TEST(Preprocess, NamesAWrongKeyOrValue) {
  EXPECT_EQ(
      message("imagent"),
      "--preprocess: 'imagent' is neither a known name (torchvision, imagenet, keras-mobilenet, keras-vgg, caffe, "
      "raw255, unit), nor FILE.json:ENTRY, nor of the form "
      "resize=256,crop=224,...");
  EXPECT_EQ(message("crops=3"),
            "--preprocess: unknown key 'crops'; there are resize, crop, resize_to, filter, color, layout, scale, "
            "mean, std");
  EXPECT_EQ(message("crop=0"), "--preprocess: crop is '0', a number of pixels (1 to 16384) was expected");
  EXPECT_EQ(message("crop=99999999999"),
            "--preprocess: crop is '99999999999', a number of pixels (1 to 16384) was expected");
  EXPECT_EQ(message("mean=1,2"), "--preprocess: mean is '1,2', one number, or three (one per channel) was expected");
  EXPECT_EQ(message("std=0"), "--preprocess: std is '0', finite numbers, no std of 0 was expected");
  EXPECT_EQ(message("scale=nan"), "--preprocess: scale is 'nan', a number was expected");
  EXPECT_EQ(message("colour=cmyk"), "--preprocess: colour is 'cmyk', rgb, bgr or grey was expected");
  EXPECT_EQ(message("color=grey,std=1,2,3"), "--preprocess: a grey image has one mean and one std, three were given");
}

class PreprocessFile : public testing::Test {
protected:
  std::string path = testing::TempDir() + "edgec_rules.json";
  void write(std::string_view text) { std::ofstream(path) << text; }
};

TEST_F(PreprocessFile, ReadsAnEntryOfItsModels) {
  write(
      R"({"models": {"net": {"image": {"resize": "already done", "centre_crop": 224, "resize_to": [320, 240], "colour": "BGR",
            "scale": 0.5, "mean": [1, 2, 3], "std": 4, "sure": "a note"}}}})");
  EXPECT_EQ(describe(rule(path + ":net")),
            "centre crop 224 x 224, resize to 320 x 240 (bilinear), BGR, (pixel * 0.5 - [1 2 3]) / [4]");
}

TEST_F(PreprocessFile, AnEntryMayStandAtTheTopAndKeysMayBeNull) {
  write(R"({"net": {"image": {"centre_crop": null, "colour": "RGB"}}})");
  EXPECT_EQ(describe(rule(path + ":net")), "RGB, (pixel * 1 - [0]) / [1]");
}

TEST_F(PreprocessFile, AnEntryWithoutImageMeansAsStored) {
  write(R"({"models": {"kws": {"input": {}}}})");
  EXPECT_FALSE(parse_preprocess(path + ":kws")->has_value());
}

TEST_F(PreprocessFile, NamesWhatIsWrong) {
  write(R"({"models": {"a": {}, "b": {"image": {"centre_crop": "big"}}, "c": {"image": 3}}})");
  EXPECT_EQ(message(path + ":z"), "--preprocess " + path + ": there is no entry 'z'; entries are: a, b, c");
  EXPECT_EQ(message(path), "--preprocess " + path + ": name an entry as FILE.json:ENTRY; entries are: a, b, c");
  EXPECT_EQ(message(path + ":b"),
            path + ":b: --preprocess: centre_crop is 'big', a number of pixels (1 to 16384) was expected");
  EXPECT_EQ(message(path + ":c"), path + ": entry 'c': its image is not an object");
  write("{not json");
  EXPECT_EQ(message(path + ":a"), path + ": is not a JSON object");
  EXPECT_THAT(message("/nowhere/rules.json:a"), HasSubstr("/nowhere/rules.json: cannot open"));
}

TEST(PrepareImage, PutsChannelsInOrderAndFollowsFloat32) {
  const auto tensor = prepare_image(two_pixels(), rule("color=bgr,scale=1/255,mean=.485,.456,.406,std=.229,.224,.225"),
                                    input(DType::float32, nchw(3, 1, 2)));
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_EQ(tensor->dims, (Dims{1, 3, 1, 2}));
  const auto value = [](int pixel, float mean, float std) {
    return (static_cast<float>(pixel) * (1 / 255.0F) - mean) / std;
  };
  EXPECT_EQ(to_floats(*tensor),
            (std::vector<float>{value(30, .485F, .229F), value(60, .485F, .229F), value(20, .456F, .224F),
                                value(50, .456F, .224F), value(10, .406F, .225F), value(40, .406F, .225F)}));
}

TEST(PrepareImage, ChannelsComeLastWhereTheInputSaysSo) {
  const auto tensor =
      prepare_image(two_pixels(), rule("mean=1"),
                    input(DType::float32, {Dim::known(1), Dim::known(1), Dim::known(2), Dim::known(3)}));
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_EQ(to_floats(*tensor), (std::vector<float>{9, 19, 29, 39, 49, 59}));
}

TEST(PrepareImage, AUint8InputGetsThePixels) {
  const auto tensor = prepare_image(two_pixels(), rule("color=bgr,mean=100"), input(DType::uint8, nchw(3, 1, 2)));
  ASSERT_TRUE(tensor);
  EXPECT_EQ(to_int64s(*tensor), (std::vector<std::int64_t>{30, 60, 20, 50, 10, 40}));
}

TEST(PrepareImage, OtherFloatsAreRounded) {
  const auto tensor = prepare_image(two_pixels(), rule("scale=1/3"), input(DType::float16, nchw(3, 1, 2)));
  ASSERT_TRUE(tensor);
  EXPECT_EQ(to_doubles(*tensor)[0], 3.333984375);
}

TEST(PrepareImage, GreyNetworksGetOneChannel) {
  const auto tensor = prepare_image(two_pixels(), rule("color=grey"), input(DType::float32, nchw(1, 1, 2)));
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_EQ(to_floats(*tensor), (std::vector<float>{18, 48}));
}

TEST(PrepareImage, AnInputWithoutBatchGetsNone) {
  const auto tensor =
      prepare_image(two_pixels(), rule("mean=0"), input(DType::float32, {Dim::known(3), Dim::known(1), Dim::known(2)}));
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_EQ(tensor->dims, (Dims{3, 1, 2}));
}

TEST(PrepareImage, NamesWhatDoesNotFit) {
  const auto failed = [](const std::string &text, const InputSpec &spec) {
    const auto tensor = prepare_image(two_pixels(), rule(text), spec);
    return tensor ? "prepared" : tensor.error().message;
  };
  EXPECT_EQ(failed("mean=0", input(DType::float32, nchw(3, 4, 4))),
            "gives [1,3,1,2], but input 'data' is float[N,3,4,4]");
  EXPECT_EQ(failed("crop=4", input(DType::float32, nchw(3, 4, 4))),
            "the image has 2 x 1 pixels, fewer than the crop of 4; give a resize before it");
  EXPECT_EQ(failed("mean=0", input(DType::int64, nchw(3, 1, 2))),
            "input 'data' is int64; pixels become float or uint8 values");
}

TEST(PrepareImage, AnImageThatWouldBecomeHugeIsRefused) {
  const auto tensor = prepare_image(Image(100000, 1, 3), rule("resize=256"), input(DType::float32, nchw(3, 1, 2)));
  EXPECT_EQ(tensor.error().message, "the image of 100000 x 1 pixels would become 25600000 long; it is too oblong");
}

} // namespace
} // namespace edgec
