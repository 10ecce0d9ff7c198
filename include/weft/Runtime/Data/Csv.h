//===- Csv.h - Tables of text as arrays -----------------------------------===//

#ifndef WEFT_RUNTIME_DATA_CSV_H
#define WEFT_RUNTIME_DATA_CSV_H

#include "weft/Runtime/Data/Arrays.h"

namespace weft::data {

struct CsvOptions {
  /// Whether the first line names the columns; else they are called 0, 1...
  bool header = true;
  char separator = ',';
  /// The columns of numbers; empty: all but the label.
  std::vector<std::string> columns;
  std::string label;      ///< the column of labels; empty: there is none
  bool findLabel = false; ///< but then take the first that is called like one
  /// The texts that labels must be among, sorted; empty: whatever there are.
  std::vector<std::string> classes;
};

struct CsvTable {
  /// `x`, f64 [rows, columns], and `y` [rows], where there is a label: i64 of
  /// whole numbers and classes, f64 of other numbers.
  std::vector<Array> arrays;
  /// Where labels are no numbers: their texts, sorted; `y` counts in them.
  std::vector<std::string> classes;
};

/// Reads a table. Fields may be in quotes, and then hold separators, ends of
/// lines, and quotes that are doubled. A row with more or fewer fields than the
/// first, and a field that is missing or no number where one is wanted, are
/// errors that name line and column.
Result<CsvTable> readCsv(const std::string &path, const CsvOptions &options);

} // namespace weft::data

#endif // WEFT_RUNTIME_DATA_CSV_H
