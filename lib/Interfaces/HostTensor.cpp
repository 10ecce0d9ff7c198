//===- HostTensor.cpp ---===//
