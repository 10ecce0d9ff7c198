//===- TrainData.cpp - Where the samples of a training come from ----------===//

#include "TrainData.h"
#include <filesystem>
#include <nlohmann/json.hpp>

using namespace weft;
using namespace weft::tool;

void DataFlags::add(CLI::App &app) {
  app.add_option("--data", training,
                 "Samples: .npz or .npy files, a .csv file, or a folder with "
                 "a folder of JPEG and PNG images per class. Arrays are "
                 "matched to the model's inputs and 'labels' by name, else by "
                 "order, labels (y, labels, targets) last; the first dimension "
                 "counts samples (see docs/Data.md)")
      ->required();
  app.add_option("--validation", validation,
                 "Samples to look at after each epoch, as --data");
  app.add_option("--split", split,
                 "Part of --data to put aside for that instead [0]")
      ->check(CLI::Range(0.0, 0.9));
  app.add_option("--batch", batch, "Samples of a step [32]")
      ->check(CLI::PositiveNumber);
  app.add_option("--data-threads", threads,
                 "Threads that prepare batches ahead of the step [2]");
  app.add_option("--preprocess", preprocess,
                 "An ONNX graph that samples go through ahead of the step, one "
                 "by one, which the trained model will carry; images are u8 "
                 "[1, height, width, channels] or f32 [1, channels, height, "
                 "width] for it [none]");
  app.add_flag("--drop-last", dropLast,
               "Leave out the last batch of an epoch if it is not full");
  app.add_flag("--in-order", inOrder, "Take the samples in their order");
  addForms(app);
  addRandom(app);
}

void DataFlags::addForms(CLI::App &app) {
  app.add_option("--columns", form.csv.columns,
                 "Columns of a .csv file to look at [all but the label]")
      ->delimiter(',');
  app.add_option("--label", form.csv.label,
                 "Its column of labels [the first called y, label, target...]");
  app.add_option("--image-size", imageSize,
                 "Height and width of images, or both in one, where the model "
                 "leaves them open")
      ->expected(1, 2)
      ->check(CLI::PositiveNumber);
  app.add_option("--resize", form.shorterSide,
                 "Scale the shorter side of images to this before they are "
                 "cropped in the middle [as the crop needs]")
      ->check(CLI::PositiveNumber);
  app.add_option("--mean", form.transform.mean,
                 "Subtract this from samples, one number or one per channel "
                 "(pixels of files are from 0 to 1)")
      ->delimiter(',');
  app.add_option("--std", form.transform.deviation, "Then divide by this")
      ->delimiter(',');
  app.add_flag("--skip-broken", form.skipBroken,
               "Leave out images that can't be decoded");
}

void DataFlags::addRandom(CLI::App &app) {
  app.add_flag("--random-crop", form.randomCrop,
               "Crop anywhere instead, in training");
  app.add_flag("--random-flip", form.transform.randomFlip,
               "Swap left and right of every other image, in training");
  app.add_option("--random-shift", form.transform.randomShift,
                 "Shift images of arrays by up to so many pixels, in training");
}

/// Opens data, which must have `classes`, if there are any; sets them.
static std::unique_ptr<data::DataSet>
openSet(const DataFlags &flags, const std::vector<std::string> &paths,
        const std::vector<data::Want> &wants, const data::Preprocess *graph,
        std::vector<std::string> &classes) {
  data::DataOptions options = flags.form;
  options.graph = graph;
  options.threads = std::max(flags.threads, 1);
  options.classes = classes;
  if (!flags.imageSize.empty()) {
    options.height = flags.imageSize.front();
    options.width = flags.imageSize.back();
  }
  data::OpenedData opened = unwrap(data::openData(paths, wants, options));
  constexpr size_t most = 10;
  for (size_t i = 0; i < opened.skipped.size() && i < most; ++i)
    fprintf(stderr, "warning: skipped: %s\n", opened.skipped[i].c_str());
  if (opened.skipped.size() > most)
    fprintf(stderr, "warning: skipped %zu images in all\n",
            opened.skipped.size());
  classes = std::move(opened.classes);
  return std::move(opened.set);
}

int64_t weft::tool::getFixedBatch(const weft_program &program) {
  for (int i = 0; i < program.num_inputs; ++i) {
    const weft_port &input = program.inputs[i];
    if (input.role == WEFT_ROLE_DATA && input.rank > 0 &&
        input.dims[0].symbol < 0)
      return input.dims[0].size;
  }
  return -1;
}

TrainData weft::tool::openTrainData(const DataFlags &flags,
                                    const std::vector<data::Want> &wants,
                                    const weft_program &program, uint64_t seed,
                                    std::unique_ptr<LoadedModel> graph) {
  TrainData data;
  data.graphModel = std::move(graph);
  if (data.graphModel)
    data.graph =
        unwrap(data::Preprocess::create(data.graphModel->get(), wants));
  const data::Preprocess *front = data.graph.get();
  data::LoaderOptions options;
  options.seed = seed;
  options.batch = flags.batch;
  options.dropPartial = flags.dropLast;
  options.shuffle = !flags.inOrder;
  options.threads = flags.threads;
  if (int64_t fixed = getFixedBatch(program); fixed >= 0) {
    options.batch = fixed;
    options.dropPartial = true;
  }
  data.trainingSet =
      openSet(flags, flags.training, wants, front, data.classNames);
  data::Split split =
      unwrap(data::splitSamples(data.trainingSet->size(), flags.split, seed));
  data.trainingLoader =
      unwrap(data::Loader::create(*data.trainingSet, split.training, options));
  if (!flags.validates())
    return data;
  options.shuffle = options.random = false;
  const data::DataSet *set = data.trainingSet.get();
  if (!flags.validation.empty()) {
    data.validationSet =
        openSet(flags, flags.validation, wants, front, data.classNames);
    set = data.validationSet.get();
    split.validation.clear();
  }
  data.validationLoader =
      unwrap(data::Loader::create(*set, split.validation, options));
  return data;
}

/// Adds what decoded images are like, for the program or the graph in front.
static void describeImages(const DataFlags &flags, const TrainData &data,
                           nlohmann::json &input) {
  std::span<const data::Field> fields = data.raw();
  if (fields.empty())
    fields = data.training().dataSet().fields();
  for (const data::Field &field : fields) {
    if (field.dims.size() != 3)
      continue;
    bool isBytes = field.dtype == WEFT_U8;
    int64_t channels = field.dims[isBytes ? 2 : 0];
    int64_t height = field.dims[isBytes ? 0 : 1];
    int64_t width = field.dims[isBytes ? 1 : 2];
    if (height < 0 && !flags.imageSize.empty())
      height = flags.imageSize.front();
    if (width < 0 && !flags.imageSize.empty())
      width = flags.imageSize.back();
    input["channels"] = channels < 0 ? 3 : channels;
    if (height > 0 && width > 0)
      input["crop"] = {height, width};
    if (flags.form.shorterSide)
      input["shorter_side"] = flags.form.shorterSide;
  }
}

std::vector<std::pair<std::string, std::string>>
weft::tool::describeData(const DataFlags &flags, const TrainData &data) {
  std::vector<std::pair<std::string, std::string>> properties;
  if (!data.classes().empty())
    properties.push_back(
        {"weft.train.classes",
         nlohmann::json(data.classes())
             .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)});
  nlohmann::json input = nlohmann::json::object();
  std::error_code ignored;
  if (std::filesystem::is_directory(flags.training.front(), ignored))
    describeImages(flags, data, input);
  if (!flags.form.transform.mean.empty())
    input["mean"] = flags.form.transform.mean;
  if (!flags.form.transform.deviation.empty())
    input["std"] = flags.form.transform.deviation;
  if (!flags.form.csv.columns.empty())
    input["columns"] = flags.form.csv.columns;
  if (!input.empty())
    properties.push_back({"weft.train.input", input.dump()});
  return properties;
}
