// The figures of the page, one renderer a file. Each gives what stands below its title; nothing where the report has no
// data for it.
#pragma once

#include "report/findings.h"
#include "report/html/markup.h"
#include "report/view.h"

namespace edgec::figures {

Markup tiles(const View &run);
Markup stands_out(const View &run);
Markup sizes(const View &run);
Markup layer_error(const View &run);
Markup activations(const View &run);
Markup weights(const View &run);
Markup changed_answers(const View &run);
Markup tradeoff(const View &run);
Markup network(const View &run);
Markup left_float(const View &run);
Markup provenance(const View &run);

// What they share.

struct Kind {
  std::string_view css, text;
};
/// Of numbers, by ONNX's name of the type: its colour and what the key says.
Kind kind_of(const std::string &number);

/// An svg element with its text alternative, still open.
Markup drawing(double width, double height, const std::string &title);
std::string place(double number);

/// A drawing as wide as the page: shapes are stretched along x, `width` units of theirs to the page's width; along y a
/// unit is a pixel. Texts beside them are not, so that a phone shows them as large as any other.
class Plot {
public:
  Plot(double width, double height, std::string title);
  [[nodiscard]] Markup &shapes() { return shapes_; }
  /// To the left of the shapes, at a height.
  void label_y(double y, const std::string &text);
  /// Below the shapes, about a place; at the ends it stays within.
  void label_x(double x, const std::string &text);
  [[nodiscard]] Markup drawn() const;

private:
  double width_, height_;
  std::string title_;
  Markup shapes_, labels_;
};

/// Columns of a table that can be sorted; numbers stand to the right.
struct Column {
  std::string_view name;
  bool number = false;
};
void begin_table(Markup &html, const std::string &caption, const std::vector<Column> &columns);
void end_table(Markup &html);
/// A cell that is sorted by its number; nothing: a dash.
void number_cell(Markup &html, std::optional<double> value, const std::string &text);
void key_entry(Markup &html, std::string_view css, std::string_view text);

/// A network by its size and what it is worth.
struct PlanePoint {
  double bytes = 0, value = 0;
  bool stands_out = false;
  std::string text;                                ///< shown beside its figures
  bool given = false;                              ///< the network that was read
  std::optional<std::pair<double, double>> sure{}; ///< the interval of the value
};
struct Plane {
  std::vector<PlanePoint> points;   ///< at least one
  std::string unit;                 ///< of the values: "%", "dB"
  std::optional<double> limit;      ///< of bytes
  std::vector<std::size_t> front{}; ///< points that a line joins, by ascending bytes
};
Markup drawing_of(const Plane &plane, const std::string &title);

/// A small histogram with the range in which numbers are kept, if any. Its caption says what it shows.
Markup histogram(const View &counts, std::optional<std::pair<double, double>> range);

} // namespace edgec::figures

namespace edgec {

/// A page that loads nothing: the template with a title, what it shows, and its figures as JSON.
std::string page_of(const std::string &title, const std::string &version, const Markup &body,
                    const nlohmann::ordered_json &data);

} // namespace edgec
