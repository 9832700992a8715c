// awsQuery: form parameters in, XML out.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "api/codec/decode.h"
#include "api/common/operation.h"
#include "api/common/shape.h"
#include "storage/base/result.h"

namespace fog {

// The parameters of a form or a URL, percent-decoded ('+' is a space), in order of arrival.
// Keys and values are views into storage of the Form.
class Form {
 public:
  struct Parameter {
    std::string_view key;
    std::string_view value;
    std::size_t shared = 0;  // so many leading bytes of the key are those of the parameter before
  };

  // Appends the parameters of `encoded`. False: more than kParametersMax.
  bool add(std::string_view encoded);
  // The last of that name; empty when absent.
  std::string_view get(std::string_view key) const;
  bool has(std::string_view key) const;
  const std::vector<Parameter>& parameters() const { return parameters_; }

  static constexpr std::size_t kParametersMax = 1u << 20;

 private:
  std::vector<std::unique_ptr<char[]>> storage_;
  std::vector<Parameter> parameters_;
};

// Reads the parameters of an operation into *out, which must be fresh. Action, Version and what
// the shape does not know are skipped. Errors: MalformedInput for a value of the wrong form.
Status decode_form(const Form& form, const Shape& shape, void* out, Decoding& decoding);

// The name under which each entry of a flattened list or map stands; empty: it is not flattened.
inline std::string_view flat_name(const Shape& shape) {
  return shape.kind == Kind::kList || shape.kind == Kind::kMap ? shape.error_code : std::string_view();
}

// Appends the members of a structure as XML elements.
void encode_xml_members(const Shape& shape, const void* value, std::string& out);
void encode_xml_member(const Member& member, const void* value, std::string& out);

// <OpResponse xmlns=...><OpResult>...</OpResult><ResponseMetadata>...; `output` may be null for
// operations without output.
std::string encode_xml_response(const OperationInfo& operation, const void* output, std::string_view request_id);

// Escapes text for XML content; what XML 1.0 cannot hold becomes U+FFFD.
void append_xml_text(std::string_view text, std::string& out);

}  // namespace fog
