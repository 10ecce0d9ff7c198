#include "Decoder.h"
using namespace weft::ptx;
void weft::ptx::checkEndOfWarp(Warp &) {}
DecodeTable weft::ptx::asyncTable() { return {}; }
DecodeTable weft::ptx::matrixTable() { return {}; }
DecodeTable weft::ptx::wgmmaTable() { return {}; }
