//===- StreamTest.cpp - Streams, events and graphs of the fake driver -----===//

#include "Fake.h"
#include <cstdio>
#include <fstream>
#include <sstream>
#include <thread>

using namespace weft::test;

namespace {

using Values = std::vector<unsigned>;

//===----------------------------------------------------------------------===//
// Order
//===----------------------------------------------------------------------===//

TEST_F(FakeDriverTest, doesNothingBeforeItIsWaitedFor) {
  load();
  CUdeviceptr values = allocate({1, 2, 3});
  void *pinned = nullptr;
  OK(fake.cuMemHostAlloc(&pinned, 12, 0));
  auto *seen = static_cast<unsigned *>(pinned);
  seen[0] = 77;
  OK(launch(values, 3));
  OK(fake.cuMemcpyDtoHAsync_v2(pinned, values, 12, stream));
  EXPECT_EQ(seen[0], 77u); // stale, as nobody has waited
  OK(fake.cuStreamSynchronize(stream));
  EXPECT_EQ(seen[0], 2u);
  // What is pinned is read when the stream comes to it.
  seen[0] = 10;
  OK(fake.cuMemcpyHtoDAsync_v2(values, pinned, 12, stream));
  seen[0] = 20;
  EXPECT_EQ(read(values, 1), Values{20});
  // What is not is taken at once.
  unsigned plain = 30;
  OK(fake.cuMemcpyHtoDAsync_v2(values, &plain, 4, stream));
  plain = 40;
  EXPECT_EQ(read(values, 1), Values{30});
  OK(fake.cuMemFreeHost(pinned));
}

TEST_F(FakeDriverTest, ordersStreamsByEvents) {
  load();
  CUdeviceptr values = allocate({5});
  CUstream other;
  CUevent event;
  OK(fake.cuStreamCreateWithPriority(&other, 0, 0));
  OK(fake.cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
  // Waiting for an event that was never recorded is nothing.
  OK(fake.cuStreamWaitEvent(other, event, 0));
  OK(launch(values, 1));
  // Without the event, the copy does not wait for the kernel.
  unsigned seen = 0;
  OK(fake.cuMemcpyDtoHAsync_v2(&seen, values, 4, other));
  OK(fake.cuStreamSynchronize(other));
  EXPECT_EQ(seen, 5u);
  OK(fake.cuEventRecord(event, stream));
  OK(launch(values, 1)); // after the event
  OK(fake.cuStreamWaitEvent(other, event, 0));
  OK(fake.cuMemcpyDtoHAsync_v2(&seen, values, 4, other));
  OK(fake.cuStreamSynchronize(other));
  EXPECT_EQ(seen, 6u);
  EXPECT_EQ(read(values, 1), Values{7});
  OK(fake.cuStreamDestroy_v2(other));
  OK(fake.cuEventDestroy_v2(event));
}

TEST_F(FakeDriverTest, makesProgressWhenAsked) {
  load();
  CUdeviceptr values = allocate({0});
  CUevent event;
  OK(fake.cuEventCreate(&event, 0));
  EXPECT_EQ(fake.cuStreamQuery(stream), CUDA_SUCCESS);
  EXPECT_EQ(fake.cuEventQuery(event), CUDA_SUCCESS);
  OK(launch(values, 1));
  OK(fake.cuEventRecord(event, stream));
  OK(launch(values, 1));
  EXPECT_EQ(fake.cuEventQuery(event), CUDA_ERROR_NOT_READY);
  EXPECT_EQ(fake.cuEventQuery(event), CUDA_ERROR_NOT_READY);
  EXPECT_EQ(fake.cuEventQuery(event), CUDA_SUCCESS);
  EXPECT_EQ(fake.cuStreamQuery(stream), CUDA_ERROR_NOT_READY);
  EXPECT_EQ(fake.cuStreamQuery(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(values, 1), Values{2});
  OK(fake.cuEventDestroy_v2(event));
}

TEST_F(FakeDriverTest, timesEvents) {
  CUevent begin, end, untimed;
  OK(fake.cuEventCreate(&begin, 0));
  OK(fake.cuEventCreate(&end, 0));
  OK(fake.cuEventCreate(&untimed, CU_EVENT_DISABLE_TIMING));
  float milliseconds = -1;
  EXPECT_EQ(fake.cuEventElapsedTime(&milliseconds, begin, end),
            CUDA_ERROR_INVALID_HANDLE); // not recorded
  OK(fake.cuEventRecord(begin, stream));
  OK(fake.cuEventRecord(end, stream));
  OK(fake.cuEventRecord(untimed, stream));
  EXPECT_EQ(fake.cuEventElapsedTime_v2(&milliseconds, begin, end),
            CUDA_ERROR_NOT_READY);
  OK(fake.cuEventSynchronize(untimed));
  OK(fake.cuEventElapsedTime_v2(&milliseconds, begin, end));
  EXPECT_GE(milliseconds, 0);
  EXPECT_EQ(fake.cuEventElapsedTime(&milliseconds, begin, untimed),
            CUDA_ERROR_INVALID_HANDLE);
  for (CUevent event : {begin, end, untimed})
    OK(fake.cuEventDestroy_v2(event));
  EXPECT_EQ(fake.cuEventDestroy_v2(end), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(fake.cuEventRecord(end, stream), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(FakeDriverTest, callsTheHostInOrder) {
  load();
  CUdeviceptr values = allocate({3});
  struct Seen {
    unsigned before = 0, value = 0;
  } seen;
  OK(launch(values, 1));
  OK(fake.cuMemcpyDtoHAsync_v2(&seen.value, values, 4, stream));
  OK(fake.cuLaunchHostFunc(
      stream,
      [](void *user) {
        auto *seen = static_cast<Seen *>(user);
        seen->before = seen->value;
      },
      &seen));
  EXPECT_EQ(seen.before, 0u);
  OK(fake.cuCtxSynchronize());
  EXPECT_EQ(seen.before, 4u);
}

//===----------------------------------------------------------------------===//
// Captures
//===----------------------------------------------------------------------===//

TEST_F(FakeDriverTest, replaysGraphsWithNewData) {
  load();
  CUdeviceptr values = allocate({0, 0});
  void *pinned = nullptr;
  OK(fake.cuMemHostAlloc(&pinned, 8, 0));
  auto *host = static_cast<unsigned *>(pinned);
  CUstreamCaptureStatus status;
  OK(fake.cuStreamIsCapturing(stream, &status));
  EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_NONE);
  OK(fake.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
  EXPECT_EQ(
      fake.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_RELAXED),
      CUDA_ERROR_ILLEGAL_STATE);
  OK(fake.cuMemcpyHtoDAsync_v2(values, pinned, 8, stream));
  OK(launch(values, 2));
  OK(fake.cuMemsetD32Async(values + 4, 9, 1, stream));
  OK(fake.cuMemcpyDtoHAsync_v2(pinned, values, 8, stream));
  uint64_t id = 0;
  CUgraph graph = nullptr;
  const CUgraphNode *nodes = nullptr;
  size_t count = 0;
  OK(fake.cuStreamGetCaptureInfo_v3(stream, &status, &id, &graph, &nodes,
                                    nullptr, &count));
  EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_ACTIVE);
  EXPECT_NE(id, 0u);
  EXPECT_EQ(count, 1u);
  OK(fake.cuStreamEndCapture(stream, &graph));
  CUgraphExec exec;
  OK(fake.cuGraphInstantiateWithFlags(&exec, graph, 0));
  OK(fake.cuGraphUpload(exec, stream));
  const std::string dot = testing::TempDir() + "/graph.dot";
  OK(fake.cuGraphDebugDotPrint(graph, dot.c_str(), 0));
  std::stringstream text;
  text << std::ifstream(dot).rdbuf();
  EXPECT_NE(text.str().find("n1 [label=\"kernel increase\"]"),
            std::string::npos);
  std::remove(dot.c_str());
  OK(fake.cuGraphDestroy(graph));
  EXPECT_EQ(read(values, 2), (Values{0, 0})); // nothing has been done
  for (unsigned round : {10u, 20u}) {
    host[0] = host[1] = round;
    OK(fake.cuGraphLaunch(exec, stream));
    OK(fake.cuStreamSynchronize(stream));
    EXPECT_EQ(host[0], round + 1);
    EXPECT_EQ(host[1], 9u);
  }
  OK(fake.cuGraphExecDestroy(exec));
  EXPECT_EQ(fake.cuGraphLaunch(exec, stream), CUDA_ERROR_INVALID_VALUE);
  OK(fake.cuMemFreeHost(pinned));
}

// Records one launch for `count` values.
#define RECORD(graph, values, count)                                           \
  OK(fake.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));     \
  OK(launch(values, count));                                                   \
  OK(fake.cuStreamEndCapture(stream, &graph))

TEST_F(FakeDriverTest, updatesGraphs) {
  load();
  CUdeviceptr first = allocate({1, 1}), second = allocate({5, 5});
  CUgraph graph, other;
  RECORD(graph, first, 1);
  CUDA_GRAPH_INSTANTIATE_PARAMS params = {};
  CUgraphExec exec;
  OK(fake.cuGraphInstantiateWithParams(&exec, graph, &params));
  EXPECT_EQ(params.result_out, CUDA_GRAPH_INSTANTIATE_SUCCESS);
  RECORD(other, second, 2);
  CUgraphExecUpdateResultInfo info;
  OK(fake.cuGraphExecUpdate_v2(exec, other, &info));
  OK(fake.cuGraphDestroy(other));
  OK(fake.cuGraphLaunch(exec, stream));
  EXPECT_EQ(read(first, 2), (Values{1, 1}));
  EXPECT_EQ(read(second, 2), (Values{6, 6}));

  // Another form is refused, and leaves the graph as it is.
  OK(fake.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
  OK(fake.cuMemsetD8Async(first, 0, 4, stream));
  OK(fake.cuStreamEndCapture(stream, &other));
  EXPECT_EQ(fake.cuGraphExecUpdate_v2(exec, other, &info),
            CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  EXPECT_EQ(info.result, CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED);
  OK(fake.cuGraphDestroy(other));

  // The one kernel, by its node.
  CUgraphNode node = nullptr;
  size_t count = 1;
  OK(fake.cuGraphGetNodes(graph, &node, &count));
  ASSERT_EQ(count, 1u);
  unsigned two = 2;
  void *args[] = {&first, &two};
  CUDA_KERNEL_NODE_PARAMS node_params = {};
  node_params.func = function;
  node_params.gridDimX = node_params.gridDimY = node_params.gridDimZ = 1;
  node_params.blockDimX = 32;
  node_params.blockDimY = node_params.blockDimZ = 1;
  node_params.kernelParams = args;
  OK(fake.cuGraphExecKernelNodeSetParams_v2(exec, node, &node_params));
  OK(fake.cuGraphLaunch(exec, stream));
  EXPECT_EQ(read(first, 2), (Values{2, 2}));
  EXPECT_EQ(read(second, 2), (Values{6, 6}));
  OK(fake.cuGraphDestroy(graph));
  OK(fake.cuGraphExecDestroy(exec));
}

TEST_F(FakeDriverTest, capturesStreamsThatForkAndJoin) {
  load();
  CUdeviceptr values = allocate({0});
  CUstream other;
  CUevent fork, join;
  OK(fake.cuStreamCreateWithPriority(&other, CU_STREAM_NON_BLOCKING, 0));
  OK(fake.cuEventCreate(&fork, CU_EVENT_DISABLE_TIMING));
  OK(fake.cuEventCreate(&join, CU_EVENT_DISABLE_TIMING));
  for (bool joins : {false, true}) {
    OK(fake.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    OK(fake.cuEventRecord(fork, stream));
    OK(fake.cuStreamWaitEvent(other, fork, 0));
    OK(launch(values, 1, other));
    EXPECT_EQ(fake.cuEventSynchronize(fork), CUDA_ERROR_CAPTURED_EVENT);
    if (joins) {
      OK(fake.cuEventRecord(join, other));
      OK(fake.cuStreamWaitEvent(stream, join, 0));
    }
    CUgraph graph = nullptr, none = nullptr;
    EXPECT_EQ(fake.cuStreamEndCapture(other, &none),
              CUDA_ERROR_STREAM_CAPTURE_UNMATCHED);
    EXPECT_EQ(fake.cuStreamEndCapture(stream, &graph),
              joins ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
    if (!joins)
      continue;
    CUgraphExec exec;
    OK(fake.cuGraphInstantiateWithFlags(&exec, graph, 0));
    OK(fake.cuGraphLaunch(exec, stream));
    EXPECT_EQ(read(values, 1), Values{1});
    OK(fake.cuGraphExecDestroy(exec));
    OK(fake.cuGraphDestroy(graph));
  }
  OK(fake.cuStreamDestroy_v2(other));
  OK(fake.cuEventDestroy_v2(fork));
  OK(fake.cuEventDestroy_v2(join));
}

TEST_F(FakeDriverTest, spoilsCapturesByWhatTheyDoNotAllow) {
  load();
  CUdeviceptr values = allocate({0}), more = 0;
  CUgraph graph = nullptr;
  auto spoil = [&](auto &&call) {
    EXPECT_EQ(
        fake.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL),
        CUDA_SUCCESS);
    EXPECT_EQ(call(), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    EXPECT_EQ(launch(values, 1), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(fake.cuStreamEndCapture(stream, &graph),
              CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    EXPECT_EQ(graph, nullptr);
  };
  spoil([&] { return fake.cuStreamSynchronize(stream); });
  spoil([&] { return fake.cuStreamQuery(stream); });
  spoil([&] { return fake.cuMemAlloc_v2(&more, 4); });
  spoil([&] { return fake.cuMemAllocAsync(&more, 4, stream); });
  spoil([&] { return fake.cuCtxSynchronize(); });
  EXPECT_EQ(fake.cuStreamEndCapture(stream, &graph), CUDA_ERROR_ILLEGAL_STATE);
  EXPECT_EQ(
      fake.cuStreamBeginCapture_v2(nullptr, CU_STREAM_CAPTURE_MODE_GLOBAL),
      CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);

  // A thread may ask for leave.
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  OK(fake.cuThreadExchangeStreamCaptureMode(&mode));
  EXPECT_EQ(mode, CU_STREAM_CAPTURE_MODE_GLOBAL);
  OK(fake.cuStreamBeginCapture_v2(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
  OK(fake.cuMemAlloc_v2(&more, 4));
  memory.push_back(more);
  // Another thread may not end it.
  std::thread([&] {
    EXPECT_EQ(fake.cuStreamEndCapture(stream, &graph),
              CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD);
  }).join();
  OK(fake.cuStreamEndCapture(stream, &graph));
  OK(fake.cuGraphDestroy(graph));
  OK(fake.cuThreadExchangeStreamCaptureMode(&mode));
}

} // namespace
