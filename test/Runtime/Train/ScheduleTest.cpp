//===- ScheduleTest.cpp - The learning rate of each update ----------------===//

#include "weft/Runtime/Train/Schedule.h"
#include "DataTest.h"
#include <cmath>

using namespace weft::train;
using Shape = Schedule::Shape;

TEST(ScheduleTest, isConstant) {
  Schedule schedule{.rate = 0.5};
  EXPECT_EQ(schedule.at(0), 0.5);
  EXPECT_EQ(schedule.at(1'000'000), 0.5);
}

TEST(ScheduleTest, warmsUpInFrontOfEach) {
  for (Shape shape :
       {Shape::Constant, Shape::Step, Shape::Cosine, Shape::Linear}) {
    Schedule schedule{
        .shape = shape, .rate = 1, .warmup = 4, .total = 14, .every = 5};
    ASSERT_TRUE(schedule.check().ok());
    EXPECT_DOUBLE_EQ(schedule.at(0), 0.2);
    EXPECT_DOUBLE_EQ(schedule.at(3), 0.8);
    EXPECT_DOUBLE_EQ(schedule.at(4), 1);
  }
}

TEST(ScheduleTest, steps) {
  Schedule schedule{
      .shape = Shape::Step, .rate = 8, .warmup = 1, .every = 3, .factor = 0.5};
  EXPECT_EQ(schedule.at(3), 8);
  EXPECT_EQ(schedule.at(4), 4);
  EXPECT_EQ(schedule.at(7), 2);
}

TEST(ScheduleTest, fallsAlongACosineAndALine) {
  Schedule schedule{
      .shape = Shape::Cosine, .rate = 3, .warmup = 2, .total = 12, .last = 1};
  EXPECT_DOUBLE_EQ(schedule.at(7), 2);
  EXPECT_DOUBLE_EQ(schedule.at(12), 1);
  EXPECT_DOUBLE_EQ(schedule.at(99), 1);
  EXPECT_NEAR(schedule.at(3), 2 + std::cos(std::acos(-1.0) / 10), 1e-12);
  schedule.shape = Shape::Linear;
  EXPECT_DOUBLE_EQ(schedule.at(2), 3);
  EXPECT_DOUBLE_EQ(schedule.at(4), 2.6);
  EXPECT_DOUBLE_EQ(schedule.at(12), 1);
  EXPECT_DOUBLE_EQ(schedule.at(99), 1);
}

TEST(ScheduleTest, refusesWhatMeansNothing) {
  EXPECT_ERROR(Schedule{.rate = 0}.check(), Option, "rate is 0");
  EXPECT_ERROR(Schedule{.rate = NAN}.check(), Option, "rate is");
  EXPECT_ERROR(Schedule{.warmup = -1}.check(), Option, "warm-up");
  EXPECT_ERROR((Schedule{.shape = Shape::Step}.check()), Option, "apart");
  EXPECT_ERROR(
      (Schedule{.shape = Shape::Step, .every = 1, .factor = 0}.check()), Option,
      "factor");
  EXPECT_ERROR(
      (Schedule{.shape = Shape::Cosine, .warmup = 5, .total = 5}.check()),
      Option, "not behind its warm-up of 5");
  EXPECT_ERROR(
      (Schedule{.shape = Shape::Linear, .total = 5, .last = -1}.check()),
      Option, "last rate");
}
