#include "query/widget_image/late_cairo.h"

namespace fog::widget_image {

FOG_CAIRO_FUNCTIONS(FOG_LATE_DEFINE)

namespace {

Result<Ok> load() {
  static LateLibrary library("libcairo.so.2");
  TRYV(library.open());
  FOG_CAIRO_FUNCTIONS(FOG_LATE_FIND)
  return Ok{};
}

}  // namespace

const Result<Ok>& open_cairo() {
  static const Result<Ok> opened = load();
  return opened;
}

}  // namespace fog::widget_image
