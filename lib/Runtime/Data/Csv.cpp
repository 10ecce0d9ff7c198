//===- Csv.cpp - Tables of text as arrays ---------------------------------===//

#include "weft/Runtime/Data/Csv.h"
#include "Guard.h"
#include "Labels.h"
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

using namespace weft::data;

namespace {
/// Cuts a table into rows and fields.
class RowReader {
public:
  RowReader(std::string_view text, char separator)
      : text(text), separator(separator) {
    // The mark that some programs put in front of UTF-8.
    if (this->text.starts_with("\xEF\xBB\xBF"))
      this->text.remove_prefix(3);
  }

  /// Reads the next row that is not empty; false at the end, or, with an
  /// error, where quotes are wrong.
  bool next(std::vector<std::string> &fields) {
    do {
      if (text.empty())
        return false;
      fields.clear();
      row = line;
      while (readField(fields.emplace_back())) {
      }
    } while (error.empty() && fields.size() == 1 && fields[0].empty());
    return error.empty();
  }

  int64_t row = 1;   ///< the line on which the last row began
  std::string error; ///< what is wrong on line `line`
  int64_t line = 1;

private:
  /// Reads a field and what ends it; false if that was the end of the row.
  bool readField(std::string &field) {
    if (text.starts_with('"'))
      return readQuoted(field);
    const char ends[] = {separator, '\r', '\n', '\0'};
    size_t end = std::min(text.find_first_of(ends), text.size());
    field = text.substr(0, end);
    text.remove_prefix(end);
    return endField();
  }

  bool readQuoted(std::string &field) {
    int64_t begin = line;
    text.remove_prefix(1);
    while (true) {
      size_t quote = text.find('"');
      if (quote == std::string_view::npos) {
        line = begin;
        error = "a quote is not closed";
        return false;
      }
      line += std::count(text.begin(), text.begin() + quote, '\n');
      field += text.substr(0, quote);
      text.remove_prefix(quote + 1);
      if (!text.starts_with('"'))
        return endField();
      field += '"';
      text.remove_prefix(1);
    }
  }

  bool endField() {
    if (text.starts_with(separator)) {
      text.remove_prefix(1);
      return true;
    }
    if (text.starts_with('\r'))
      text.remove_prefix(1);
    if (text.starts_with('\n')) {
      text.remove_prefix(1);
      ++line;
    } else if (!text.empty()) {
      error = "there is text behind a closing quote";
    }
    return false;
  }

  std::string_view text;
  char separator;
};

/// A table while it is read.
class TableReader {
public:
  TableReader(const std::string &path, const CsvOptions &options)
      : path(path), options(options) {}

  Status read(std::string_view text);
  Result<CsvTable> finish();

private:
  Status choose(std::vector<std::string> header);
  Status add(const std::vector<std::string> &fields, int64_t line);
  Status findColumn(const std::string &name, size_t &column) const;
  std::string listNames() const;
  Status numberClasses(CsvTable &table, std::vector<int64_t> &numbers) const;
  std::string place(int64_t line, size_t column) const {
    return "'" + path + "', line " + std::to_string(line) + ", column '" +
           names[column] + "': ";
  }

  const std::string &path;
  const CsvOptions &options;
  std::vector<std::string> names;
  std::vector<size_t> chosen;
  size_t label = SIZE_MAX;
  std::vector<double> values;
  std::vector<std::string> labels;
};
} // namespace

static std::string_view trim(std::string_view text) {
  size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos)
    return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

template <typename T> static bool parseNumber(std::string_view text, T &value) {
  text = trim(text);
  if (text.starts_with('+'))
    text.remove_prefix(1);
  const char *end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end && !text.empty();
}

Status TableReader::findColumn(const std::string &name, size_t &column) const {
  auto found = std::find(names.begin(), names.end(), name);
  column = found - names.begin();
  if (found != names.end())
    return {};
  return Status(Error::Mismatch, "'" + path + "' has no column '" + name +
                                     "', but " + listNames());
}

std::string TableReader::listNames() const {
  std::string known;
  for (const std::string &one : names)
    known += (known.empty() ? "'" : ", '") + one + "'";
  return known;
}

/// Finds the columns that are wanted.
Status TableReader::choose(std::vector<std::string> header) {
  names = std::move(header);
  for (std::string &name : names)
    name = trim(name);
  for (size_t i = 0; i < names.size(); ++i)
    if (std::find(names.begin(), names.begin() + i, names[i]) !=
        names.begin() + i)
      return Status(Error::Damaged, "'" + path + "' has two columns '" +
                                        names[i] +
                                        "'; give them different names");
  if (!options.label.empty()) {
    if (Status status = findColumn(options.label, label); !status.ok())
      return status;
  } else if (options.findLabel) {
    auto found = std::find_if(names.begin(), names.end(), isLabelName);
    if (found == names.end())
      return Status(Error::Mismatch,
                    "'" + path + "' has no column called like a label, but " +
                        listNames() + "; choose the label's");
    label = found - names.begin();
  }
  for (const std::string &name : options.columns) {
    size_t column = 0;
    if (Status status = findColumn(name, column); !status.ok())
      return status;
    chosen.push_back(column);
  }
  if (options.columns.empty())
    for (size_t i = 0; i < names.size(); ++i)
      if (i != label)
        chosen.push_back(i);
  return {};
}

Status TableReader::add(const std::vector<std::string> &fields, int64_t line) {
  if (fields.size() != names.size())
    return Status(Error::Damaged,
                  "'" + path + "', line " + std::to_string(line) + " has " +
                      std::to_string(fields.size()) + " fields, wanted " +
                      std::to_string(names.size()));
  for (size_t column : chosen) {
    double value = 0;
    bool number = parseNumber(fields[column], value);
    if (!number || !std::isfinite(value))
      return Status(
          Error::Value,
          place(line, column) +
              (trim(fields[column]).empty() || (number && std::isnan(value))
                   ? "the value is missing"
                   : "'" + fields[column] + "' is no number") +
              "; fill it in, remove the row, or choose other "
              "columns");
    values.push_back(value);
  }
  if (label != SIZE_MAX) {
    std::string_view text = trim(fields[label]);
    if (text.empty())
      return Status(Error::Value, place(line, label) +
                                      "the label is missing; fill it in, or "
                                      "remove the row");
    labels.emplace_back(text);
  }
  return {};
}

Status TableReader::read(std::string_view text) {
  RowReader rows(text, options.separator);
  std::vector<std::string> fields;
  bool first = true;
  while (rows.next(fields)) {
    Status status;
    if (std::exchange(first, false)) {
      std::vector<std::string> header = fields;
      if (!options.header)
        for (size_t i = 0; i < header.size(); ++i)
          header[i] = std::to_string(i);
      status = choose(std::move(header));
      if (status.ok() && options.header)
        continue;
    }
    if (status.ok())
      status = add(fields, rows.row);
    if (!status.ok())
      return status;
  }
  if (!rows.error.empty())
    return Status(Error::Damaged, "'" + path + "', line " +
                                      std::to_string(rows.line) + ": " +
                                      rows.error);
  if (values.empty() && labels.empty())
    return Status(Error::Empty, "'" + path + "' has no rows");
  return {};
}

/// An array that owns a copy of `values`.
template <typename T>
static Result<Array>
makeArray(const std::string &name, const std::string &source, weft_dtype dtype,
          std::vector<int64_t> dims, const std::vector<T> &values) {
  size_t bytes = values.size() * sizeof(T);
  Result<Buffer> buffer = Buffer::allocate(static_cast<int64_t>(bytes), source);
  if (!buffer.ok())
    return buffer.status();
  if (bytes)
    memcpy(buffer->data(), values.data(), bytes);
  auto owned = std::make_shared<Buffer>(buffer.take());
  Array array{name, source, dtype, std::move(dims), {}, owned};
  array.bytes = {owned->data(), bytes};
  return array;
}

/// Sets the classes, and makes labels numbers among them.
Status TableReader::numberClasses(CsvTable &table,
                                  std::vector<int64_t> &numbers) const {
  table.classes = options.classes;
  if (table.classes.empty()) {
    table.classes = labels;
    std::sort(table.classes.begin(), table.classes.end());
    table.classes.erase(std::unique(table.classes.begin(), table.classes.end()),
                        table.classes.end());
  }
  for (size_t row = 0; row < labels.size(); ++row) {
    auto found = std::lower_bound(table.classes.begin(), table.classes.end(),
                                  labels[row]);
    if (found == table.classes.end() || *found != labels[row])
      return Status(Error::Mismatch,
                    "'" + path + "' has the label '" + labels[row] +
                        "' in column '" + names[label] +
                        "', which the data for training do not have");
    numbers[row] = found - table.classes.begin();
  }
  return {};
}

Result<CsvTable> TableReader::finish() {
  CsvTable table;
  auto columns = static_cast<int64_t>(chosen.size());
  int64_t rows = label != SIZE_MAX ? static_cast<int64_t>(labels.size())
                                   : static_cast<int64_t>(values.size()) /
                                         std::max<int64_t>(columns, 1);
  auto add = [&](Result<Array> array) {
    if (!array.ok())
      return array.status();
    table.arrays.push_back(array.take());
    return Status();
  };
  Status status = add(makeArray("x", "the table '" + path + "'", WEFT_F64,
                                {rows, columns}, values));
  if (label == SIZE_MAX || !status.ok())
    return status.ok() ? Result<CsvTable>(std::move(table)) : status;

  std::string source = "column '" + names[label] + "' of '" + path + "'";
  std::vector<int64_t> whole(rows);
  std::vector<double> real(rows);
  auto all = [&](auto &numbers) {
    return std::equal(labels.begin(), labels.end(), numbers.begin(),
                      [](const std::string &text, auto &number) {
                        return parseNumber(text, number);
                      });
  };
  if (options.classes.empty() && all(whole)) {
    status = add(makeArray("y", source, WEFT_I64, {rows}, whole));
  } else if (options.classes.empty() && all(real)) {
    status = add(makeArray("y", source, WEFT_F64, {rows}, real));
  } else {
    if (status = numberClasses(table, whole); !status.ok())
      return status;
    status = add(makeArray("y", source, WEFT_I64, {rows}, whole));
  }
  if (!status.ok())
    return status;
  return table;
}

Result<CsvTable> weft::data::readCsv(const std::string &path,
                                     const CsvOptions &options) {
  Result<MappedFile> file = MappedFile::open(path);
  if (!file.ok())
    return file.status();
  return guard("the table", path, [&]() -> Result<CsvTable> {
    TableReader reader(path, options);
    if (Status status = reader.read(file->text()); !status.ok())
      return status;
    return reader.finish();
  });
}
