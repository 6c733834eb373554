#include "data/samples.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <numeric>

#include "data/labels.h"
#include "data/npy.h"

namespace edgec {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

const std::string files = EDGEC_SOURCE_DIR "/tests/data/files/";

InputSpec input(const std::string &name, DType dtype, const std::string &shape) {
  Shape dims;
  for (std::size_t at = 0; at < shape.size(); at = std::min(shape.find(',', at), shape.size() - 1) + 1) {
    const std::string word = shape.substr(at, shape.find(',', at) - at);
    dims.push_back(std::isdigit(word[0]) ? Dim::known(std::stol(word)) : Dim::named(word));
  }
  return {name, Type::tensor(dtype, dims)};
}

Tensor counting(DType dtype, const Dims &dims) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(*element_count(dims)));
  std::iota(values.begin(), values.end(), 0);
  return from_int64s(dtype, dims, values);
}

/// A fresh folder for the files of a test.
class Samples : public testing::Test {
protected:
  fs::path folder = fs::path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name();
  std::vector<InputSpec> inputs{input("x", DType::float32, "N,2")};
  std::optional<Preprocess> rule;

  void SetUp() override {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  void TearDown() override { fs::remove_all(folder); }

  std::string write(const std::string &name, std::string_view text) {
    std::ofstream(folder / name) << text;
    return folder / name;
  }
  std::string npy(const std::string &name, const Tensor &tensor) {
    EXPECT_TRUE(save_npy(folder / name, tensor, true));
    return folder / name;
  }
  std::string npz(const std::string &name, const std::vector<std::pair<std::string, Tensor>> &arrays) {
    EXPECT_TRUE(save_npz(folder / name, arrays, true));
    return folder / name;
  }
  void copy(const std::string &file, const std::string &name) { fs::copy_file(files + file, folder / name); }

  Result<std::unique_ptr<SampleSet>> open(const std::string &path, std::uint64_t seed = 0) const {
    return open_samples(path, inputs, rule, seed);
  }
  std::unique_ptr<SampleSet> opened(const std::string &path) const {
    auto samples = open(path);
    EXPECT_TRUE(samples) << samples.error().message;
    return samples ? std::move(*samples) : nullptr;
  }
  std::string message(const std::string &path) const {
    const auto samples = open(path);
    return samples ? "opened" : samples.error().message;
  }
  /// As for the pictures of tests/data/files, which are 20 x 12.
  void images(const std::string &shape = "N,3,12,20") {
    inputs = {input("data", DType::float32, shape)};
    rule = **parse_preprocess("mean=0");
  }
};

TEST_F(Samples, RowsOfAnArray) {
  const auto samples = opened(npy("a.npy", counting(DType::float32, {3, 2})));
  ASSERT_TRUE(samples);
  ASSERT_EQ(samples->size(), 3U);
  const auto last = samples->load(2);
  EXPECT_EQ((*last)[0].dims, (Dims{1, 2}));
  EXPECT_EQ(to_doubles((*last)[0]), (std::vector<double>{4, 5}));
  EXPECT_EQ(samples->label(2), (folder / "a.npy").string() + "[2]");
  EXPECT_EQ(samples->description(),
            (folder / "a.npy").string() + ": array 'a.npy' float[3,2], as stored -> x float[N,2]");
}

TEST_F(Samples, AnArrayOfHigherRankHoldsWholeInputs) {
  inputs = {input("x", DType::float32, "2,2")};
  const auto samples = opened(npy("a.npy", counting(DType::float32, {3, 2, 2})));
  ASSERT_TRUE(samples);
  EXPECT_EQ(samples->size(), 3U);
  EXPECT_EQ((*samples->load(1))[0].dims, (Dims{2, 2}));
  EXPECT_EQ(to_doubles((*samples->load(1))[0]), (std::vector<double>{4, 5, 6, 7}));
}

TEST_F(Samples, AFixedBatchTakesSeveralRowsAndFillsUpTheLast) {
  inputs = {input("x", DType::float32, "2,2")};
  const auto samples = opened(npy("a.npy", counting(DType::float32, {3, 2})));
  ASSERT_TRUE(samples);
  EXPECT_EQ(samples->size(), 2U);
  EXPECT_EQ(samples->rows(), 3U);
  EXPECT_EQ(samples->batch(), 2U);
  EXPECT_EQ(samples->rows(1), 1U);
  EXPECT_EQ(to_doubles((*samples->load(1))[0]), (std::vector<double>{4, 5, 4, 5}));
}

TEST_F(Samples, AFixedBatchTakesSeveralImages) {
  images("2,3,12,20");
  copy("rgb.png", "a.png");
  copy("grey.png", "b.png");
  copy("rgb.ppm", "c.ppm");
  const auto samples = opened(folder);
  ASSERT_TRUE(samples);
  EXPECT_EQ(samples->size(), 2U);
  EXPECT_EQ(samples->rows(), 3U);
  const Tensor last = (*samples->load(1))[0];
  EXPECT_EQ(last.dims, (Dims{2, 3, 12, 20}));
  EXPECT_TRUE(std::ranges::equal(last.data.bytes().first(2880), last.data.bytes().last(2880)));
}

TEST_F(Samples, PicturesAreShownAsTheNetworkSeesThem) {
  images();
  copy("rgb.png", "a.png");
  const auto files = opened(folder);
  ASSERT_TRUE(files);
  ASSERT_TRUE(files->picture(0));
  EXPECT_EQ(files->picture(0)->width, 20);
  EXPECT_EQ(files->picture(0)->height, 12);
  const Tensor pixels = Tensor::of<std::uint8_t>({1, 3, 1, 2}, {1, 2, 3, 4, 5, 6});
  inputs = {input("x", DType::float32, "N,3,1,2")};
  const auto array = opened(npy("a.npy", pixels)); // with a preprocessing these are pixels
  ASSERT_TRUE(array && array->picture(0));
  EXPECT_EQ(array->picture(0)->pixels, (std::vector<std::uint8_t>{1, 3, 5, 2, 4, 6}));
}

TEST_F(Samples, NumbersOfThreeOrOneChannelsAreShownBetweenTheirExtremes) {
  inputs = {input("x", DType::float32, "N,1,2,2")};
  const auto samples = opened(npy("a.npy", Tensor::of<float>({2, 1, 2, 2}, {-1, 1, 0, 1, 5, 5, 5, 5})));
  ASSERT_TRUE(samples && samples->picture(0));
  EXPECT_EQ(samples->picture(0)->pixels, (std::vector<std::uint8_t>{0, 255, 128, 255}));
  EXPECT_FALSE(samples->picture(1)); // all alike: nothing is to be seen
}

TEST_F(Samples, WhatIsNoPictureShowsNothing) {
  const auto samples = opened(npy("a.npy", counting(DType::float32, {3, 2})));
  ASSERT_TRUE(samples);
  EXPECT_FALSE(samples->picture(0));
}

TEST_F(Samples, NpzArraysByInputNames) {
  inputs = {input("ids", DType::int64, "N,2"), input("scale", DType::float32, "")};
  inputs[1].type.shape = Shape{};
  const auto path = npz("a.npz", {{"scale", Tensor::scalar(3.0F)}, {"ids", counting(DType::uint16, {2, 2})}});
  const auto samples = opened(path);
  ASSERT_TRUE(samples);
  const auto second = samples->load(1);
  ASSERT_TRUE(second);
  EXPECT_EQ((*second)[0].dtype, DType::int64);
  EXPECT_EQ(to_int64s((*second)[0]), (std::vector<std::int64_t>{2, 3}));
  EXPECT_EQ(to_doubles((*second)[1]), (std::vector<double>{3}));
}

TEST_F(Samples, OneInputMayBeCalledX) {
  inputs = {input("data_0", DType::float32, "N,2")};
  EXPECT_TRUE(opened(npz("a.npz", {{"x", counting(DType::float32, {3, 2})}})));
  EXPECT_EQ(message(npz("b.npz", {{"y", counting(DType::float32, {3, 2})}})),
            (folder / "b.npz").string() + ": has no array named 'data_0' as the network's input or 'x'; there are: y");
}

TEST_F(Samples, NumbersOfSamplesHaveToAgree) {
  inputs.push_back(input("z", DType::float32, "N,2"));
  EXPECT_EQ(message(npz("a.npz", {{"x", counting(DType::float32, {3, 2})}, {"z", counting(DType::float32, {2, 2})}})),
            (folder / "a.npz").string() + ": the arrays hold different numbers of samples: 'x' [3,2], 'z' [2,2]");
}

TEST_F(Samples, NamesShapesThatDoNotFit) {
  const std::string path = npy("a.npy", counting(DType::float32, {3, 4}));
  EXPECT_EQ(message(path), path + ": array 'a.npy': gives [1,4], but input 'x' is float[N,2]");
  npy("a.npy", counting(DType::float32, {4}));
  EXPECT_EQ(message(path), path + ": array 'a.npy': gives [4], but input 'x' is float[N,2]");
  npy("a.npy", counting(DType::float32, {0, 2}));
  EXPECT_EQ(message(path), path + ": array 'a.npy' is empty, samples were expected");
}

TEST_F(Samples, ConversionsKeepEveryValue) {
  inputs = {input("x", DType::int8, "N,2")};
  const std::string path = npy("a.npy", counting(DType::uint8, {2, 2}));
  EXPECT_EQ((*opened(path)->load(1))[0].dtype, DType::int8);
  npy("a.npy", from_int64s(DType::int64, {1, 2}, std::vector<std::int64_t>{127, 128}));
  EXPECT_EQ(message(path), path + "[0]: the value 128 does not fit input 'x' of type int8");
  npy("a.npy", counting(DType::float32, {2, 2}));
  EXPECT_EQ(message(path), path + "[0]: holds float values, but input 'x' wants int8");
  inputs = {input("x", DType::boolean, "N,2")};
  npy("a.npy", counting(DType::int32, {1, 2}));
  EXPECT_EQ(to_int64s((*opened(path)->load(0))[0]), (std::vector<std::int64_t>{0, 1}));
}

TEST_F(Samples, Uint8ArraysAreImagesWherePreprocessingIsGiven) {
  images("N,3,1,2");
  inputs[0].name = "x";
  const Dims first{2, 3, 1, 2}, last{2, 1, 2, 3};
  const auto planes = opened(npy("a.npy", counting(DType::uint8, first)));
  ASSERT_TRUE(planes);
  EXPECT_EQ(to_doubles((*planes->load(1))[0]), (std::vector<double>{6, 7, 8, 9, 10, 11}));
  const auto pixels = opened(npy("b.npy", counting(DType::uint8, last)));
  ASSERT_TRUE(pixels);
  EXPECT_EQ(to_doubles((*pixels->load(1))[0]), (std::vector<double>{6, 9, 7, 10, 8, 11}));
  EXPECT_THAT(pixels->description(), HasSubstr("RGB, (pixel * 1 - [0]) / [1]"));
  const auto stored = opened(npy("c.npy", counting(DType::float32, first)));
  ASSERT_TRUE(stored);
  EXPECT_THAT(stored->description(), HasSubstr("as stored"));
}

TEST_F(Samples, AFolderOfImagesInByteOrder) {
  images();
  copy("rgb.png", "b.png");
  copy("grey.png", "a.PNG");
  copy("rgb.ppm", "Z.ppm");
  write("README.txt", "not an image");
  write(".hidden.png", "not an image");
  const auto samples = opened(folder);
  ASSERT_TRUE(samples);
  ASSERT_EQ(samples->size(), 3U);
  EXPECT_EQ(samples->label(0), (folder / "Z.ppm").string());
  EXPECT_EQ(samples->label(1), (folder / "a.PNG").string());
  EXPECT_THAT(
      samples->description(),
      HasSubstr("Z.ppm: 20 x 12 pixels, RGB, (pixel * 1 - [0]) / [1] -> data float[1,3,12,20], values 0 .. 255"));
}

TEST_F(Samples, AnImageIsDecodedOnce) {
  images();
  copy("rgb.ppm", "a.ppm");
  const auto samples = opened(folder);
  ASSERT_TRUE(samples);
  const auto first = samples->load(0);
  fs::remove(folder / "a.ppm");
  const auto again = samples->load(0);
  ASSERT_TRUE(first && again);
  EXPECT_THAT((*again)[0].as<float>(), testing::ElementsAreArray((*first)[0].as<float>()));
}

TEST_F(Samples, ImagesWantPreprocessing) {
  images();
  rule.reset();
  copy("rgb.png", "a.png");
  EXPECT_EQ(open(folder).error().code, Code::usage);
  EXPECT_EQ(message(folder),
            folder.string() +
                ": holds images; say with --preprocess how they become values (imagenet, FILE.json:ENTRY, "
                "or resize=256,crop=224,...)");
}

TEST_F(Samples, ImagesFillOneInput) {
  images();
  inputs.push_back(input("z", DType::float32, "N,2"));
  copy("rgb.png", "a.png");
  EXPECT_EQ(message(folder),
            folder.string() +
                ": holds images, which fill one input, but the network has 2 (data, z); give an .npz with an "
                "array for each");
}

TEST_F(Samples, NamesTheImageThatIsWrong) {
  images();
  copy("rgb.png", "a.png");
  std::ifstream whole(files + "photo.jpg", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(whole)), {});
  write("b.jpg", bytes.substr(0, bytes.size() - 60));
  copy("photo.jpg", "c.jpg");
  const auto samples = opened(folder);
  ASSERT_TRUE(samples);
  EXPECT_EQ(samples->load(1).error().message, (folder / "b.jpg").string() + ": truncated JPEG: its data end too early");
  EXPECT_EQ(samples->load(2).error().message,
            (folder / "c.jpg").string() + ": gives [1,3,24,40], but input 'data' is float[N,3,12,20]");
}

TEST_F(Samples, NamesWhatHoldsNoSamples) {
  EXPECT_THAT(message(folder), HasSubstr("the folder holds neither images (.jpg, .jpeg, .png, .ppm, .pgm), nor class "
                                         "folders of images, nor ONNX test data"));
  EXPECT_THAT(message(folder / "missing"), HasSubstr("missing: cannot open: No such file"));
  EXPECT_THAT(
      message(write("a.dat", "text")),
      HasSubstr("a.dat: is not an image, .npy, .npz, list of file,label (.csv, .tsv, .txt), or folder of images"));
  EXPECT_THAT(message(write("a.csv", "")), HasSubstr("a.csv: is empty, lines of file,label were expected"));
  EXPECT_THAT(message(write("b.csv", "file,label\n")), HasSubstr("b.csv: lists no files"));
  EXPECT_THAT(message(write("c.csv", "file,label\n\"a,1\n")), HasSubstr("c.csv: line 2: a quote is not closed"));
  EXPECT_THAT(message(write("d.csv", "label,file\n3\n")), HasSubstr("d.csv: line 2: no file name stands there"));
}

TEST_F(Samples, AListOfImagesWithLabels) {
  images();
  fs::create_directory(folder / "sub");
  copy("rgb.png", "sub/one, two.png");
  copy("rgb.ppm", "b.ppm");
  const auto path = write("list.csv", "\xef\xbb\xbf"
                                      "file,label\r\nb.ppm,7\r\n\"sub/one, two.png\",3\r\n\r\n");
  const auto samples = opened(path);
  ASSERT_TRUE(samples);
  EXPECT_EQ(samples->size(), 2U);
  EXPECT_EQ(samples->label(1), (folder / "sub/one, two.png").string());
  const auto labels = open_labels("", path, *samples);
  ASSERT_TRUE(labels) << labels.error().message;
  EXPECT_EQ((*labels)->classes, (std::vector<std::int64_t>{7, 3}));
  EXPECT_EQ(opened(write("bare.csv", "b.ppm,7\n"))->size(), 1U);
}

/// Two images and their labels 7 and 3, however the list is spelled.
TEST_F(Samples, ListsInEverySpelling) {
  images();
  copy("rgb.ppm", "b.ppm");
  copy("rgb.png", "a b.png");
  std::vector<std::string> lists;
  for (const std::string separator : {",", ";", "\t", ", ", " ; "})
    for (const std::string end : {"\n", "\r\n", "\r"})
      for (const std::string mark : {"", "\xef\xbb\xbf"})
        for (const std::string head :
             {"", "file,label", "filename,class", "path,target", "image,y", "name,Label", "File,LABEL"}) {
          const auto comma = head.find(',');
          const std::string header =
              head.empty() ? "" : head.substr(0, comma) + separator + head.substr(comma + 1) + end;
          lists.push_back(mark + header + "b.ppm" + separator + "7" + end + "\"a b.png\"" + separator + "3" + end);
          if (head.empty()) continue;
          const std::string swapped =
              head.substr(comma + 1) + separator + "more" + separator + head.substr(0, comma) + end;
          lists.push_back(mark + swapped + "7" + separator + separator + "b.ppm" + end + "3" + separator + "x" +
                          separator + "a b.png" + end);
        }
  lists.emplace_back("b.ppm 7\n\"a b.png\"   3");
  lists.emplace_back("id,label\nb.ppm,7\na b.png,3.0\n,\n");
  for (const std::string &text : lists) {
    const std::string path = write("list.csv", text);
    const auto samples = open(path);
    ASSERT_TRUE(samples) << samples.error().message << "\n" << text;
    const auto labels = open_labels("", path, **samples);
    ASSERT_TRUE(labels && *labels) << text;
    EXPECT_EQ((*labels)->classes, (std::vector<std::int64_t>{7, 3})) << text;
  }
  EXPECT_EQ(lists.size(), 392U);
}

TEST_F(Samples, AHeaderThatIsNotKnownIsTakenForOne) {
  images();
  copy("rgb.ppm", "b.ppm");
  const std::string path = write("list.csv", "foo,bar\nb.ppm,1\n");
  EXPECT_EQ(message(path), path + ": line 1: 'foo' is not a file; is it a header? `file,label` was expected");
  EXPECT_THAT(message(write("list.csv", "file,label\nc.ppm,1\n")), HasSubstr("list.csv: line 2: there is no file"));
  EXPECT_THAT(message(write("list.csv", "label\n1\n")), HasSubstr("list.csv: lists no files"));
  EXPECT_THAT(message(write("list.csv", std::string("\xff\xfe"
                                                    "f\0",
                                                    4))),
              HasSubstr("is UTF-16 text; save it as UTF-8"));
}

TEST_F(Samples, ANamesRankIsItsLabel) {
  images();
  for (const char *name : {"a.ppm", "b.ppm", "c.ppm"}) copy("rgb.ppm", name);
  const auto path = write("list.csv", "file,label\na.ppm,zebra\nb.ppm,cat\nc.ppm,zebra\n");
  const auto labels = open_labels("", path, *opened(path));
  ASSERT_TRUE(labels) << labels.error().message;
  EXPECT_EQ((*labels)->classes, (std::vector<std::int64_t>{1, 0, 1}));
  EXPECT_EQ((*labels)->names, (std::vector<std::string>{"cat", "zebra"}));
  EXPECT_EQ((*labels)->place(2), path + ": line 4");
  const auto mixed = write("mixed.csv", "file,label\na.ppm,2\nb.ppm,cat\n");
  EXPECT_THAT(open_labels("", mixed, *opened(mixed)).error().message,
              HasSubstr("mixed.csv: line 3: the label 'cat' is not a whole number >= 0"));
  const auto gap = write("gap.csv", "file,label\na.ppm,2\nb.ppm,\n");
  EXPECT_THAT(open_labels("", gap, *opened(gap)).error().message, HasSubstr("gap.csv: line 3: no label stands there"));
}

TEST_F(Samples, ClassFoldersGiveTheirRanks) {
  images();
  for (const char *name : {"zebra", "cat/deep", "empty", ".git", "__MACOSX"})
    fs::create_directories(folder / "set" / name);
  copy("rgb.ppm", "set/zebra/1.ppm");
  copy("rgb.ppm", "set/cat/2.ppm");
  copy("rgb.png", "set/cat/deep/1.PNG");
  copy("grey.jpg", "set/.git/no.jpg");
  for (const std::string &path : {(folder / "set").string(), (folder / "set").string() + "/"}) {
    const auto samples = opened(path);
    ASSERT_TRUE(samples);
    ASSERT_EQ(samples->rows(), 3U);
    EXPECT_THAT(samples->label(0), testing::EndsWith("cat/2.ppm"));
    EXPECT_THAT(samples->label(1), testing::EndsWith("zebra/1.ppm"));
    EXPECT_THAT(samples->label(2), testing::EndsWith("cat/deep/1.PNG"));
    const auto labels = open_labels("", path, *samples);
    ASSERT_TRUE(labels && *labels);
    EXPECT_EQ((*labels)->classes, (std::vector<std::int64_t>{0, 2, 0}));
    EXPECT_EQ((*labels)->names, (std::vector<std::string>{"cat", "empty", "zebra"}));
  }
  fs::create_directories(folder / "all");
  fs::rename(folder / "set", folder / "all" / "train");
  EXPECT_EQ(message(folder / "all"),
            (folder / "all").string() + ": holds train, which are not classes; give one of them");
}

TEST_F(Samples, LabelArraysInEverySpelling) {
  const Tensor x = counting(DType::float32, {3, 2});
  const std::vector<std::int64_t> wanted{2, 0, 1};
  std::vector<Tensor> spelled{Tensor::of<float>({3}, {2, 0, 1}), Tensor::of<float>({3, 3}, {0, 0, 1, 1, 0, 0, 0, 1, 0}),
                              Tensor::of_strings({3}, {"dog", "ant", "cat"}),
                              Tensor::of_strings({3, 1}, {"2", "0", "1"})};
  for (const DType dtype : {DType::uint8, DType::int8, DType::int32, DType::int64})
    spelled.push_back(from_int64s(dtype, {3}, wanted));
  for (const char *name : {"y", "label", "labels", "target", "targets", "Classes"})
    for (const Tensor &array : spelled) {
      const auto path = npz("a.npz", {{"pictures", x}, {name, array}});
      const auto labels = open_labels("", path, *opened(path));
      ASSERT_TRUE(labels && *labels) << name << (labels ? "" : labels.error().message);
      EXPECT_EQ((*labels)->classes, wanted);
    }
  const auto path = npz("b.npz", {{"x", x}});
  const auto other = npz("c.npz", {{"truth", spelled[0]}, {"more", x}});
  EXPECT_THAT(
      open_labels(other, path, *opened(path)).error().message,
      HasSubstr("c.npz: has no array of labels, which is named one of y, label, labels, target, targets, classes; "
                "there are: truth, more"));
}

TEST_F(Samples, SaysHowToTransposeAnArray) {
  inputs = {input("x", DType::float32, "N,1,4,5")};
  EXPECT_THAT(
      message(npy("a.npy", counting(DType::float32, {2, 4, 5, 1}))),
      HasSubstr("gives [1,4,5,1], but input 'x' is float[N,1,4,5]; its channels stand last, not first: transpose it, "
                "np.transpose(x, (0, 3, 1, 2))"));
  inputs = {input("x", DType::float32, "N,4,5,1")};
  EXPECT_THAT(message(npy("a.npy", counting(DType::float32, {2, 1, 4, 5}))),
              HasSubstr("np.transpose(x, (0, 2, 3, 1))"));
}

TEST_F(Samples, LabelsAreFoundByFile) {
  images();
  fs::create_directory(folder / "set");
  copy("rgb.png", "set/b.png");
  copy("rgb.ppm", "set/a.ppm");
  const auto samples = opened(folder / "set");
  ASSERT_TRUE(samples);
  const auto labels = [&](std::string_view text) {
    return open_labels(write("labels.csv", text), folder / "set", *samples);
  };
  EXPECT_EQ((*labels("file,label\nset/b.png,1\nset/a.ppm,2\nset/other.png,3\n"))->classes,
            (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ((*labels("b.png,1\na.ppm,2\n"))->classes, (std::vector<std::int64_t>{2, 1})); // by name alone
  EXPECT_THAT(labels("file,label\nset/b.png,1\n").error().message,
              HasSubstr("labels.csv: has no label for " + (folder / "set/a.ppm").string()));
  EXPECT_THAT(labels("file,label\nset/b.png,1\nset/a.ppm,cat\n").error().message,
              HasSubstr("labels.csv: line 3: the label 'cat' is not a whole number >= 0"));
  EXPECT_THAT(labels("x/b.png,1\ny/b.png,2\na.ppm,2\n").error().message, HasSubstr("has no label for"));
}

TEST_F(Samples, LabelsOfArrays) {
  const std::string path =
      npz("a.npz", {{"x", counting(DType::float32, {3, 2})}, {"y", counting(DType::uint8, {3, 1})}});
  const auto samples = opened(path);
  ASSERT_TRUE(samples);
  EXPECT_EQ((*open_labels("", path, *samples))->classes, (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ((*open_labels(npy("l.npy", counting(DType::int64, {3})), path, *samples))->classes,
            (std::vector<std::int64_t>{0, 1, 2}));
  EXPECT_EQ((*open_labels(write("l.csv", "file,label\na,5\nb,6\nc,7\n"), path, *samples))->classes,
            (std::vector<std::int64_t>{5, 6, 7}));
  EXPECT_THAT(open_labels(npy("l.npy", counting(DType::int64, {4})), path, *samples).error().message,
              HasSubstr("has labels [4], but there are 3 samples"));
  EXPECT_THAT(open_labels(npy("l.npy", Tensor::of<float>({3}, {0, .5F, 1})), path, *samples).error().message,
              HasSubstr("l.npy[1]: the label 0.5 is not a whole number >= 0"));
  const std::string bare = npz("b.npz", {{"x", counting(DType::float32, {3, 2})}});
  EXPECT_FALSE(open_labels("", bare, *opened(bare))->has_value());
}

TEST_F(Samples, FoldersOfOnnxTestData) {
  const auto tensor = [](std::string_view elements) { // a TensorProto: dims 1, 2; float; raw_data
    return std::string("\x08\x01\x08\x02\x10\x01\x4a\x08", 8) + std::string(elements);
  };
  fs::create_directories(folder / "test_data_set_0");
  fs::create_directories(folder / "test_data_set_1");
  write("test_data_set_0/input_0.pb", tensor(std::string("\0\0\x80\x3f\0\0\0\x40", 8)));
  write("test_data_set_1/input_0.pb", tensor(std::string("\0\0\0\0\0\0\x80\x3f", 8)));
  const auto samples = opened(folder);
  ASSERT_TRUE(samples);
  EXPECT_EQ(samples->size(), 2U);
  EXPECT_EQ(to_doubles((*samples->load(0))[0]), (std::vector<double>{1, 2}));
  EXPECT_EQ(opened(folder / "test_data_set_1")->size(), 1U);
  EXPECT_THAT(message(folder / "test_data_set_1/input_0.pb"), HasSubstr("is one tensor; give the folder"));
  inputs = {input("x", DType::float32, "N,3")};
  EXPECT_THAT(message(folder), HasSubstr("test_data_set_0/input_0.pb: gives [1,2], but input 'x' is float[N,3]"));
  inputs = {input("x", DType::int32, "N,2")};
  EXPECT_THAT(message(folder), HasSubstr("input_0.pb: holds float, but input 'x' is int32[N,2]"));
}

TEST_F(Samples, SyntheticOnesHaveTypeAndShapeAndFollowTheSeed) {
  inputs = {input("image", DType::float32, "N,3,H,W"), input("ids", DType::int64, "N,seq"),
            input("codes", DType::int8, "4,N")};
  const auto samples = opened("synthetic:3");
  ASSERT_TRUE(samples);
  EXPECT_EQ(samples->size(), 3U);
  const auto one = *samples->load(1);
  EXPECT_EQ(one[0].dims, (Dims{1, 3, 64, 64}));
  EXPECT_EQ(one[1].dims, (Dims{1, 8}));
  EXPECT_EQ(one[2].dtype, DType::int8);
  EXPECT_THAT(to_int64s(one[1]), testing::Each(testing::AllOf(testing::Ge(0), testing::Le(1))));
  EXPECT_TRUE(identical(one[0], (*samples->load(1))[0]));
  EXPECT_FALSE(identical(one[0], (*samples->load(2))[0]));
  EXPECT_FALSE(identical(one[0], (*(*open("synthetic:3", 1))->load(1))[0]));
  EXPECT_EQ(opened("synthetic")->size(), 16U);
  EXPECT_EQ(message("synthetic:0"), "'synthetic:0': synthetic:N wants a number of samples");
}

TEST_F(Samples, InputsThatAreNoTensorsAreUnsupported) {
  inputs[0].type.kind = Type::Kind::sequence;
  EXPECT_EQ(open("synthetic").error().code, Code::unsupported);
}

TEST_F(Samples, LoadsOneInputWhole) {
  const auto path = npy("a.npy", counting(DType::uint8, {3, 2}));
  const auto tensor = load_input(path, inputs[0], {});
  ASSERT_TRUE(tensor) << tensor.error().message;
  EXPECT_EQ(tensor->dims, (Dims{3, 2}));
  EXPECT_EQ(tensor->dtype, DType::float32);
  EXPECT_EQ(load_input(path, input("x", DType::float32, "3"), {}).error().message,
            path + ": gives [3,2], but input 'x' is float[3]");
  EXPECT_EQ(load_input(npz("a.npz", {{"only", counting(DType::float32, {1, 2})}}), inputs[0], {})->dims, (Dims{1, 2}));
  EXPECT_EQ(load_input(files + "rgb.png", input("x", DType::float32, "1,3,12,20"), *parse_preprocess("mean=0"))->dims,
            (Dims{1, 3, 12, 20}));
}

} // namespace
} // namespace edgec
