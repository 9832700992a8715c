// cairo, opened when the first image is drawn.
#pragma once

#include <cairo.h>

#include "storage/base/late_library.h"

#define FOG_CAIRO_FUNCTIONS(F)                                                                         \
  F(cairo_arc) F(cairo_clip) F(cairo_close_path) F(cairo_create) F(cairo_destroy) F(cairo_fill)        \
  F(cairo_fill_preserve) F(cairo_image_surface_create) F(cairo_line_to) F(cairo_move_to)               \
  F(cairo_paint) F(cairo_rectangle) F(cairo_restore) F(cairo_save) F(cairo_select_font_face)           \
  F(cairo_set_font_size) F(cairo_set_line_join) F(cairo_set_line_width) F(cairo_set_source_rgba)       \
  F(cairo_show_text) F(cairo_status) F(cairo_status_to_string) F(cairo_stroke)                         \
  F(cairo_surface_destroy) F(cairo_surface_write_to_png_stream) F(cairo_text_extents)

namespace fog::widget_image {

FOG_CAIRO_FUNCTIONS(FOG_LATE_DECLARE)

/// Opens cairo; the same answer at every later call. Before it succeeded none of the functions
/// above may be called. Safe from any thread.
const Result<Ok>& open_cairo();

}  // namespace fog::widget_image
