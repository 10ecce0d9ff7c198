//===- Evaluate.cpp
