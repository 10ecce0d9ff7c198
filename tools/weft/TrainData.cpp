//===- TrainData.cpp - Where the samples of a training come from ----------===//

#include "TrainData.h"

using namespace weft;
using namespace weft::tool;

void DataFlags::add(CLI::App &app) {
  app.add_option("--data", training,
                 "Samples: .npz or .npy files, a .csv file, or a folder with "
                 "a folder of JPEG and PNG images per class. Arrays are "
                 "matched to the model's inputs and 'labels' by name, else by "
                 "order, labels (y, labels, targets) last; the first dimension "
                 "counts samples")
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
  app.add_flag("--drop-last", dropLast,
               "Leave out the last batch of an epoch if it is not full");
  app.add_flag("--in-order", inOrder, "Take the samples in their order");
  app.add_option("--label", options.csv.label, "CSV: the column of labels");
  app.add_option("--columns", options.csv.columns,
                 "CSV: the columns of numbers [all others]");
  app.add_option("--image-side", options.shorterSide,
                 "Images: length that the shorter side is scaled to before the "
                 "crop [that of the crop]");
  app.add_flag("--random-crop", options.randomCrop,
               "Images: crop anywhere, not in the middle");
  app.add_flag("--flip", options.transform.randomFlip,
               "Images: mirror every other one, left to right");
  app.add_option("--shift", options.transform.randomShift,
                 "Images: shift by at most so many rows and columns [0]");
  app.add_option("--mean", options.transform.mean,
                 "Images: subtracted per channel, of pixels from 0 to 1");
  app.add_option("--std", options.transform.deviation,
                 "Images: divided by per channel");
  app.add_flag("--skip-broken", options.skipBroken,
               "Leave out images that can't be decoded, and tell which");
}

/// Opens a data set; `classes` are those that there must be, or become those
/// that there are.
static std::unique_ptr<data::DataSet>
openSet(const DataFlags &flags, const std::vector<std::string> &paths,
        const std::vector<data::Want> &wants,
        std::vector<std::string> &classes) {
  data::DataOptions options = flags.options;
  options.classes = classes;
  options.threads = flags.threads;
  data::OpenedData opened = unwrap(data::openData(paths, wants, options));
  for (const std::string &why : opened.skipped)
    fprintf(stderr, "warning: left out: %s\n", why.c_str());
  classes = opened.classes;
  return std::move(opened.set);
}

/// The size of a batch that the program was made for, or -1 for any.
static int64_t getFixedBatch(const weft_program &program) {
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
                                    const weft_program &program,
                                    uint64_t seed) {
  TrainData data;
  data::LoaderOptions options;
  options.seed = seed;
  options.batch = flags.batch;
  options.dropPartial = flags.dropLast;
  options.shuffle = !flags.inOrder;
  options.threads = flags.threads;
  if (int64_t fixed = getFixedBatch(program); fixed >= 0) {
    if (flags.batch != fixed)
      fprintf(stderr,
              "warning: the model takes batches of %lld; --batch is not used\n",
              static_cast<long long>(fixed));
    options.batch = fixed;
    options.dropPartial = true;
  }
  data.trainingSet = openSet(flags, flags.training, wants, data.classNames);
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
        openSet(flags, flags.validation, wants, data.classNames);
    set = data.validationSet.get();
    split.validation.clear();
  }
  data.validationLoader =
      unwrap(data::Loader::create(*set, split.validation, options));
  return data;
}
